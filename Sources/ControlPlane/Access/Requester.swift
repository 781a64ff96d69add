import Engine

/// Who sends a request, and what it may change.
struct Requester: Sendable, Equatable {
    /// By what it proved to be the one; `nil`: no tokens are configured, so everything is allowed.
    var token: Token?
    /// The address that the request came from; `nil`: unknown.
    var client: IPAddress?

    /// Whether there are services that it may not change.
    var isLimited: Bool { token.map { $0.role != .admin && !($0.role == .write && $0.services.isEmpty) } ?? false }

    /// Whether it may change a service, by its name in lower case.
    func mayChange(_ service: String) -> Bool { token?.mayChange(service) ?? true }

    /// Whether it may do what only those may who run the server.
    var isAdmin: Bool { token.map { $0.role == .admin } ?? true }
}

/// Why a change is not allowed to the one who asks for it.
enum Denial: Sendable, Hashable {
    /// It belongs to this service, or is to belong to it.
    case service(String)
    /// Only an admin sets the bounds in this service's policy.
    case policyBounds(String)
}
