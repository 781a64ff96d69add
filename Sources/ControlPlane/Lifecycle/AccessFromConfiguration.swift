import Engine
import Logging

extension AccessControl {
    /// Replaces all tokens by those of a file; `nil`: none are needed.
    func adopt(_ file: TokensFile?) {
        adopt(file.map { TokenTable($0.tokens) })
    }
}

extension LoadedConfiguration {
    /// Warns of what lets more people in than there should be.
    ///
    /// - Parameter file: the tokens in force; `nil`: none are needed.
    func warnOfAccess(_ file: TokensFile?, _ logger: Logger) {
        for warning in file?.warnings ?? [] {
            logger.warning("the tokens file is not as it should be", metadata: ["reason": "\(warning)"])
        }
        let listen = configuration.server.listen
        // Whoever has a certificate is known.
        if file == nil, configuration.server.tls.clientCA.isEmpty, !listen.address.unmapped.isLoopback {
            logger.warning(
                "everybody who reaches the REST API may change everything: set server.tokens_file",
                metadata: ["address": "\(listen)"])
        }
    }
}
