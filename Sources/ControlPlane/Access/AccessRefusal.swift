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
        /// Requests without a valid token (401).
        var unauthorized = 0
        /// Requests, and parts of requests, that their token does not allow (403).
        var forbidden = 0
        /// Requests with credentials that can't be read (400).
        var malformed = 0
    }
}
