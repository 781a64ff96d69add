import CCurl

extension HTTPClientError {
    /// Maps a code of libcurl.
    init(_ code: CURLcode, reason: String, mayHaveBeenSent: Bool) {
        self.init(kind: Kind(code), reason: reason, mayHaveBeenSent: mayHaveBeenSent)
    }
}

extension HTTPClientError.Kind {
    fileprivate init(_ code: CURLcode) {
        self =
            switch code {
            case CURLE_OPERATION_TIMEDOUT: .timedOut
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .cannotConnect
            case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE: .connectionLost
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ENGINE_INITFAILED,
                CURLE_SSL_INVALIDCERTSTATUS:
                .tls
            // libcurl reports a head line beyond its own limit of 100 KiB as lack of memory.
            case CURLE_FILESIZE_EXCEEDED, CURLE_OUT_OF_MEMORY: .tooLarge
            // libcurl reports HTTP/0.9 as an unsupported protocol.
            case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING: .invalidResponse
            case CURLE_URL_MALFORMAT: .invalidRequest
            default: .other
            }
    }
}
