import CCurl

extension ProbeEnd {
    /// Maps a code of libcurl.
    ///
    /// - Parameters:
    ///   - systemCode: `errno` of the connection's end.
    ///   - verification: OpenSSL's result (`X509_V_ERR_…`) as far as libcurl has asked for it.
    init(_ code: CURLcode, systemCode: Int32, verification: Int, isConnected: Bool) {
        self =
            switch code {
            case CURLE_OK: .complete
            case CURLE_OPERATION_TIMEDOUT: .timedOut(isConnected: isConnected)
            case CURLE_COULDNT_CONNECT: Self.connectionFailure(systemCode)
            case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE: .connectionLost
            case CURLE_PEER_FAILED_VERIFICATION: .badCertificate(Self.certificateProblem(verification))
            case CURLE_SSL_CONNECT_ERROR: .handshakeFailed
            // HTTP/0.9, and a body in an encoding that nobody knows.
            case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2,
                CURLE_HTTP2_STREAM:
                .notHTTP
            // libcurl reports a line beyond its own limit of 100 KiB as lack of memory.
            case CURLE_OUT_OF_MEMORY where isConnected: .headTooLarge
            case CURLE_SSL_CACERT_BADFILE: .impossible("the certificates of the authorities can't be read")
            case CURLE_SSL_CIPHER, CURLE_SSL_CERTPROBLEM, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
                .handshakeFailed
            // Whatever a target may send, it must not look like a fault of this machine.
            case _ where isConnected: .notHTTP
            default: .impossible("libcurl's error \(code.rawValue)")
            }
    }

    private static func connectionFailure(_ code: Int32) -> ProbeEnd {
        switch code {
        case ECONNREFUSED: .notConnected("connection refused")
        case EHOSTUNREACH: .notConnected("no route to host")
        case ENETUNREACH: .notConnected("network is unreachable")
        case ECONNRESET: .notConnected("connection reset")
        case ETIMEDOUT: .notConnected("connection timed out")
        case EACCES, EPERM: .impossible("the system does not permit the connection")
        case EADDRNOTAVAIL: .impossible("no local port is free")
        default: .notConnected("no connection")
        }
    }

    private static func certificateProblem(_ verification: Int) -> String {
        switch verification {
        // libcurl compares names before it asks for OpenSSL's result; until then that is 1.
        case 0, 1: "for another name"
        case 9, 13: "not yet valid"
        case 10, 12: "expired"
        case 18: "self-signed"
        case 19: "of a chain that ends in a self-signed one"
        case 2, 20, 21, 27: "not signed by an authority that is trusted here"
        case 23: "revoked"
        case 24, 79: "signed by one that is no authority"
        case 26: "not for servers"
        case 62, 64: "for another name"
        case 66, 67, 68: "too weak"
        default: "not valid (OpenSSL's reason \(verification))"
        }
    }
}
