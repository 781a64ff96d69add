import Engine

/// Finds values that are valid one by one but conflict with each other, or with what follows from them.
enum ConfigurationConflicts {
    /// All conflicts.
    ///
    /// - Parameters:
    ///   - origins: where the values come from.
    ///   - problems: the problems of single values; their keys are not checked again.
    static func problems(
        in configuration: Configuration, _ origins: [String: ConfigurationOrigin],
        besides problems: [ConfigurationProblem]
    ) -> [ConfigurationProblem] {
        let conflicts =
            listening(configuration) + reverse(configuration.dns.reverse) + cache(configuration.dns.cache)
            + tls(configuration.server.tls) + etcd(configuration.storage, origins)
        // A wrong value was not adopted, so its conflicts are unknown.
        let wrong = Set(problems.compactMap { $0.key.map { String($0.prefix { $0 != "[" }) } })
        return conflicts.filter { wrong.isDisjoint(with: $0.keys) }.map(\.problem)
    }

    private struct Conflict {
        let problem: ConfigurationProblem
        /// The keys whose values the conflict follows from.
        let keys: Set<String>

        init(_ key: String, _ others: String..., message: String, at origin: ConfigurationOrigin? = nil) {
            problem = ConfigurationProblem(origin: origin, key: key, message: message)
            keys = Set(others + [key])
        }
    }

    private static func listening(_ configuration: Configuration) -> [Conflict] {
        var conflicts: [Conflict] = []
        var seen: Set<SocketAddress> = []
        // Port 0 means a different port each time.
        for address in configuration.dns.listen where address.port != 0 && !seen.insert(address).inserted {
            conflicts.append(Conflict("dns.listen", message: "'\(address)' is given more than once"))
        }
        let rest = configuration.server.listen
        if seen.contains(rest) {
            let message = "'\(rest)' is also in dns.listen: each needs a TCP port of its own"
            conflicts.append(Conflict("server.listen", "dns.listen", message: message))
        }
        return conflicts
    }

    private static func reverse(_ networks: [IPNetwork]) -> [Conflict] {
        if let small = networks.first(where: { !$0.canBeReversed }) {
            return [Conflict("dns.reverse", message: "'\(small)' is too small: give at least a /24, or a /124 of IPv6")]
        }
        let count = networks.reduce(0) { $0 + $1.reverseParts.count }
        guard count > ReverseZones.maximumCount else { return [] }
        return [
            Conflict(
                "dns.reverse",
                message: "makes \(count) zones, of which there may be \(ReverseZones.maximumCount): "
                    + "give networks whose prefixes end with an octet, or a hexadecimal digit of IPv6")
        ]
    }

    private static func cache(_ cache: Configuration.Cache) -> [Conflict] {
        guard cache.minimumTTL > cache.maximumTTL else { return [] }
        let (least, most) = (cache.minimumTTL.configurationText, cache.maximumTTL.configurationText)
        let message = "'\(least)' is above dns.cache.max_ttl, which is '\(most)'"
        return [Conflict("dns.cache.min_ttl", "dns.cache.max_ttl", message: message)]
    }

    /// What the files have is checked when they are read.
    private static func tls(_ tls: Configuration.TLS) -> [Conflict] {
        let (certificate, key, authorities) = ("server.tls.certificate", "server.tls.key", "server.tls.client_ca")
        if tls.certificate.isEmpty, !tls.key.isEmpty {
            return [Conflict(certificate, key, message: "is missing: \(key) needs it")]
        }
        if tls.certificate.isEmpty, !tls.clientCA.isEmpty {
            return [Conflict(certificate, authorities, message: "is missing: \(authorities) needs it")]
        }
        guard tls.key.isEmpty, !tls.certificate.isEmpty else { return [] }
        return [Conflict(key, certificate, message: "is missing: \(certificate) needs it")]
    }

    private static func etcd(
        _ storage: Configuration.Storage, _ origins: [String: ConfigurationOrigin]
    ) -> [Conflict] {
        let etcd = storage.etcd
        var conflicts: [Conflict] = []
        func need(_ key: String, _ value: String, for other: String, _ otherValue: String) {
            guard value.isEmpty, !otherValue.isEmpty else { return }
            let (key, other) = ("storage.etcd.\(key)", "storage.etcd.\(other)")
            conflicts.append(Conflict(key, other, message: "is missing: \(other) needs it"))
        }
        need("key", etcd.key, for: "certificate", etcd.certificate)
        need("certificate", etcd.certificate, for: "key", etcd.key)
        need("username", etcd.username, for: "password", etcd.password)
        // Files that are not used need not exist.
        guard storage.type == .etcd else { return conflicts }
        for (key, path) in [("ca", etcd.ca), ("certificate", etcd.certificate), ("key", etcd.key)] where !path.isEmpty {
            guard let reason = FileReason.unreadable(path) else { continue }
            let key = "storage.etcd.\(key)"
            let message = "\(FileReason.absolute(path)): can't be read: \(reason)"
            conflicts.append(Conflict(key, message: message, at: origins[key]))
        }
        return conflicts
    }
}
