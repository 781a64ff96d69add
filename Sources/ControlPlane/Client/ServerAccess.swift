/// How a command reaches a server's REST API.
public struct ServerAccess: Sendable {
    /// `http://127.0.0.1:8080`, without a slash at its end.
    public let url: String
    /// The bearer token to send; `nil`: none.
    public let token: String?
    /// For https.
    public let tls: ClientTLS
    /// How long an answer may take.
    public let timeout: Duration

    /// - Parameters:
    ///   - url: with or without a slash at its end.
    ///   - timeout: for a single request; a command may make several.
    public init(url: String, token: String? = nil, tls: ClientTLS = ClientTLS(), timeout: Duration = .seconds(10)) {
        self.url = url.last == "/" ? String(url.dropLast()) : url
        self.token = token
        self.tls = tls
        self.timeout = timeout
    }
}
