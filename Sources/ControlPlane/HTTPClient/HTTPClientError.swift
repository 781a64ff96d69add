/// Why there is no response.
struct HTTPClientError: Error, Sendable, Equatable {
    /// The kinds of errors, which callers handle differently.
    enum Kind: String, Sendable {
        case timedOut = "timed out"
        /// The name has no address, or nobody listens there.
        case cannotConnect = "cannot connect"
        /// The connection broke before the response was complete.
        case connectionLost = "connection lost"
        /// The TLS handshake failed: certificates, names, keys.
        case tls = "TLS"
        /// The response's head or body exceeds its limit.
        case tooLarge = "response too large"
        /// The answer is not HTTP/1.
        case invalidResponse = "invalid response"
        /// The task was cancelled, or the client was shut down.
        case cancelled = "cancelled"
        /// Too many requests wait.
        case overloaded = "overloaded"
        case invalidRequest = "invalid request"
        case other = "HTTP client"
    }

    var kind: Kind
    /// One line of printable ASCII, from us or libcurl; without fields, bodies or secrets.
    var reason: String
    /// Whether the server may have got the request and acted on it. `false` only if no connection was ever ready to
    /// send it.
    var mayHaveBeenSent: Bool
}

extension HTTPClientError: CustomStringConvertible {
    /// The error in one line, for a log.
    var description: String { "\(kind.rawValue): \(reason)" }
}
