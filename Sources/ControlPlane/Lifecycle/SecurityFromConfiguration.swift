import Engine
import Logging

extension SecureListener {
    /// Has new connections offered an identity, and tells of it.
    func adopt(_ new: ServerIdentity?, _ logger: Logger) {
        let old = identity
        guard old != nil || new != nil else { return }
        adopt(new)
        guard let new else { return logger.warning("new connections speak HTTP without TLS") }
        tell(of: new, logger)
    }

    /// Writes to the log what clients are shown, and what is suspicious about it.
    func tell(of identity: ServerIdentity, _ logger: Logger) {
        var metadata = identity.certificate.metadata(at: .now)
        metadata["client_certificates"] = identity.isMutual ? "required" : "none"
        logger.info("new connections are shown a certificate", metadata: metadata)
        for warning in identity.warnings {
            logger.warning("server.tls is not as it should be", metadata: ["reason": "\(warning)"])
        }
    }
}

extension LoadedConfiguration {
    /// Warns if whoever is on the way can read what goes over the REST API.
    func warnOfPlainHTTP(_ logger: Logger) {
        let listen = configuration.server.listen
        guard configuration.server.tls.certificate.isEmpty, !listen.address.unmapped.isLoopback else { return }
        logger.warning(
            "the REST API is not encrypted: whoever is on the way can read and change all of it; set server.tls",
            metadata: ["address": "\(listen)"])
    }
}
