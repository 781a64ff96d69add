/// How a command speaks TLS: paths of PEM files, empty ones are not used.
public struct ClientTLS: Sendable {
    /// Authorities that servers' certificates must come from; empty: the system's.
    public var authorities = ""
    /// The client's certificate; empty: none.
    public var certificate = ""
    /// The key of the client's certificate; empty: it is in the certificate's file.
    public var key = ""
    /// Whether servers must show a certificate that is valid for their name.
    public var verifies = true

    /// The system's authorities, and no certificate.
    public init() {}

    /// What is wrong, in one line; `nil`: nothing.
    public var problem: String? {
        if certificate.isEmpty, !key.isEmpty { return "--key needs --cert" }
        for (option, path) in [("--cacert", authorities), ("--cert", certificate), ("--key", key)] where !path.isEmpty {
            if let reason = FileReason.unreadable(path) { return "\(option) \(path.escapingControls): \(reason)" }
        }
        return nil
    }

    var settings: HTTPClient.TLS {
        HTTPClient.TLS(authorities: authorities, certificate: certificate, key: key, verifies: verifies)
    }
}
