/// Why there is no response.
struct HTTPClientError: Error, Sendable, Equatable {
    /// What to do differently depends on.
    enum Kind: String, Sendable {
        case timedOut = "timed out"
        /// The name has no address, or nobody listens there.
        case cannotConnect = "cannot connect"
        /// It broke before the response was complete.
        case connectionLost = "connection lost"
        /// No agreement on TLS: certificates, names, keys.
        case tls = "TLS"
        /// The response's head or body is beyond its limit.
        case tooLarge = "response too large"
        /// The answer is not HTTP/1.
        case invalidResponse = "invalid response"
        /// By the task, or the client was shut down.
        case cancelled = "cancelled"
        /// Too many requests wait.
        case overloaded = "overloaded"
        case invalidRequest = "invalid request"
        case other = "HTTP client"
    }

    var kind: Kind
    /// One line of printable ASCII, of ours or of libcurl's; without fields, bodies or secrets.
    var reason: String
    /// Whether the server may have got the request, and done what it asks. `false` only when no connection was ever
    /// ready to send it.
    var mayHaveBeenSent: Bool
}

extension HTTPClientError: CustomStringConvertible {
    /// One line for a log.
    var description: String { "\(kind.rawValue): \(reason)" }
}
