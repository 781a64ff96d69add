/// Why a request is not admitted.
enum AccessRefusal: Error, Sendable, Equatable {
    /// It has no credentials, or such as this server does not read.
    case noToken
    /// It has a token that is none, or no longer one.
    case unknownToken
    /// Its credentials can't be read.
    case malformed(String)
    /// Its token has not this role.
    case role(Role, token: String)

    /// How often requests were refused, by kind.
    struct Counts: Sendable, Equatable {
        /// Requests without a token, and with an unknown one (401).
        var withoutToken = 0
        var unknownToken = 0
        /// Requests whose token has not the role (403).
        var role = 0
        /// Requests, and parts of requests, about what their token does not allow: a service, or bounds (403).
        var service = 0
        var bounds = 0
        /// Requests with credentials that can't be read (400).
        var malformed = 0

        /// All that were answered 401.
        var unauthorized: Int { withoutToken + unknownToken }
        /// All that were answered 403.
        var forbidden: Int { role + service + bounds }
    }
}
