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

    /// Warns if this process may not read its configuration file, which root has read.
    func warnOfUnreadableFile(_ logger: Logger) {
        guard let file, let reason = FileReason.unreadable(file) else { return }
        logger.warning(
            "the configuration can't be reloaded: the user can't read its file",
            metadata: ["file": "\(file)", "reason": "\(reason)"])
    }

    /// Warns if names outside are forwarded for strangers: attackers look for such servers, to send their answers to
    /// others (RFC 5358).
    func warnOfOpenResolver(_ logger: Logger) {
        let dns = configuration.dns
        let isReached = dns.listen.contains { !$0.address.unmapped.isLoopback }
        guard isReached, !dns.upstream.servers.isEmpty,
            let network = dns.recursionAllow.first(where: \.hasStrangers)
        else { return }
        logger.warning(
            "an open resolver: strangers may ask for names outside; restrict dns.recursion_allow to your networks",
            metadata: ["network": "\(network)"])
    }
}

extension IPNetwork {
    /// Whether it is larger than any network that belongs to one owner, as 10.0.0.0/8 and fc00::/7 do.
    fileprivate var hasStrangers: Bool { prefixLength < (address.isIPv4 ? 8 : 7) }
}
