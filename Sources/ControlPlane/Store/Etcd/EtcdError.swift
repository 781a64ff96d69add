/// Why etcd did not do what it was asked to.
struct EtcdError: Error, Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// This member can't; another may, or this one later.
        case unavailable
        /// The token is not, or no longer, known.
        case unauthenticated
        /// There is no such lease (any more).
        case noSuchLease
        /// It does not want to.
        case rejected
    }

    var kind: Kind
    /// In one line, without secrets.
    var reason: String

    init(kind: Kind, reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// The error that the gateway has written into a response: `{"error":"…","code":14}`, with gRPC's codes.
    init(_ json: JSONValue, status: Int) {
        var message: String?
        var code: Int?
        if case .object(let members) = json {
            for member in members {
                switch (member.name, member.value) {
                case ("message", .string(let text)), ("error", .string(let text)): message = text
                case ("code", .integer(let number)): code = number
                default: continue
                }
            }
        }
        reason = message ?? "HTTP status \(status)"
        switch code {
        case 5 where reason.contains("lease"): kind = .noSuchLease
        case 16: kind = .unauthenticated
        // The users were changed since the token was given.
        case 3 where reason.contains("revision of auth store is old"): kind = .unauthenticated
        // Deadline exceeded, resource exhausted, aborted, internal, unavailable.
        case 4, 8, 10, 13, 14: kind = .unavailable
        default: kind = status >= 500 ? .unavailable : .rejected
        }
    }
}
