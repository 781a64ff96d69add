import NIOSSL

/// Why a connection has no TLS session, for the log.
enum HandshakeFailure: Sendable, Equatable {
    /// The client's certificate is missing or refused.
    case certificate(reason: String)
    /// The client speaks HTTP without TLS.
    case plainHTTP
    /// The client speaks TLS, and this port does not.
    case secureHello
    /// What the client has sent is no TLS, no version or cipher that this server has, or a refusal of its own.
    case protocolError(reason: String)
    /// The client has stopped in the handshake.
    case timeout
    /// The client has closed the connection in the handshake, as port scans and checks of load balancers do.
    case ended

    /// What it is, without its reason. The raw values are labels of metrics.
    enum Kind: String, CaseIterable, Sendable {
        case certificate, timeout, ended
        case plainHTTP = "plain_http"
        case secureHello = "tls_on_plain_port"
        case protocolError = "protocol"
    }

    /// What it is.
    var kind: Kind {
        switch self {
        case .certificate: .certificate
        case .plainHTTP: .plainHTTP
        case .secureHello: .secureHello
        case .protocolError: .protocolError
        case .timeout: .timeout
        case .ended: .ended
        }
    }

    /// Reads an error of the handshake.
    ///
    /// - Parameter certificate: what the client has presented; nobody has vouched for it.
    init(_ error: any Error, presented certificate: NIOSSLCertificate?) {
        guard error as? NIOSSLError != .handshakeFailed(.sslError([.eofDuringHandshake])) else {
            self = .ended
            return
        }
        let code = Self.codes(error).first ?? ""
        switch code {
        case "PEER_DID_NOT_RETURN_A_CERTIFICATE": self = .certificate(reason: "there is none")
        case "CERTIFICATE_VERIFY_FAILED": self = .certificate(reason: Self.judgement(of: certificate))
        default: self = .protocolError(reason: Self.words(error))
        }
    }

    /// The words for an error of BoringSSL: its own, in lower case.
    static func words(_ error: any Error) -> String {
        guard let code = codes(error).first else { return "\(error)".shortened }
        switch code {
        case "UNSUPPORTED_PROTOCOL": return "the client offers no version from TLS 1.2 on"
        case "NO_SHARED_CIPHER": return "the client offers no cipher that is good enough"
        case "TLSV1_ALERT_UNKNOWN_CA": return "the client does not know the authority of the server's certificate"
        case "SSLV3_ALERT_CERTIFICATE_EXPIRED": return "the client says that the server's certificate has expired"
        case "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN":
            return "the client refuses the server's certificate"
        case "BAD_PACKET_LENGTH":
            // OpenSSL's clients send their alert without encryption.
            return "the client has sent an alert that can't be read: it may refuse the server's certificate"
        default: return code.lowercased().replacing("_", with: " ")
        }
    }

    /// BoringSSL's names of what went wrong, which stand in `error:10000410:SSL routines:OPENSSL_internal:NAME at …`.
    private static func codes(_ error: any Error) -> [String] {
        let stack: NIOBoringSSLErrorStack
        switch error {
        case NIOSSLError.handshakeFailed(.sslError(let errors)), NIOSSLError.shutdownFailed(.sslError(let errors)),
            BoringSSLError.sslError(let errors), BoringSSLError.unknownError(let errors):
            stack = errors
        default: return []
        }
        return stack.compactMap { error in
            let parts = error.description.split(separator: ":", omittingEmptySubsequences: false)
            guard let place = parts.firstIndex(of: "OPENSSL_internal"), place + 1 < parts.count else { return nil }
            return parts[place + 1].split(separator: " ").first.map(String.init)
        }
    }

    /// Why a certificate is refused, as far as it shows itself. BoringSSL does not tell.
    private static func judgement(of certificate: NIOSSLCertificate?) -> String {
        guard let certificate else { return "it can't be verified" }
        let summary = CertificateSummary(certificate)
        let subject = summary.subject.isEmpty ? "it" : summary.subject.shortened
        if summary.isOver(at: .now) { return "\(subject) has expired" }
        if summary.isEarly(at: .now) { return "\(subject) is not valid yet" }
        if certificate.subjectName == certificate.issuerName {
            return "\(subject) is self-signed, and not in server.tls.client_ca"
        }
        return "\(subject) is not for clients, or signed by nobody in server.tls.client_ca"
    }
}
