import Engine

extension EngineConfiguration {
    /// What the data plane needs of the configuration.
    ///
    /// - Parameters:
    ///   - coreCount: workers when the configuration leaves their number open.
    ///   - interfaces: the machine's addresses, for `ns.<domain>`.
    init(_ dns: Configuration.DNS, coreCount: Int, interfaces: [IPAddress]) {
        self.init(
            listen: dns.listen,
            workers: dns.workers == 0 ? min(coreCount, 256) : dns.workers,
            udpPayload: dns.udpPayload,
            strategy: dns.strategy,
            tcp: TCPLimits(
                maximumConnections: dns.tcp.maximumConnections,
                maximumPerClient: dns.tcp.maximumPerClient,
                idleTimeout: dns.tcp.idleTimeout,
                maximumQueries: dns.tcp.maximumQueries
            ),
            zone: ZoneConfiguration(
                origin: dns.domain,
                ttl: UInt32(clamping: dns.ttl.wholeSeconds),
                negativeTTL: UInt32(clamping: dns.negativeTTL.wholeSeconds),
                nameServerAddresses: NameServerAddresses.make(
                    listened: dns.listen.map(\.address),
                    interfaces: interfaces
                )
            ),
            version: dns.version,
            recursion: RecursionConfiguration(
                upstreams: UpstreamConfiguration(dns),
                maximumInFlight: dns.upstream.maximumInFlight,
                cache: CacheConfiguration(
                    maximumEntries: dns.cache.maximumEntries,
                    minimumTTL: UInt32(clamping: dns.cache.minimumTTL.wholeSeconds),
                    maximumTTL: UInt32(clamping: dns.cache.maximumTTL.wholeSeconds),
                    negativeTTL: UInt32(clamping: dns.cache.negativeTTL.wholeSeconds),
                    serveStale: dns.cache.serveStale,
                    prefetch: dns.cache.prefetch
                )
            )
        )
    }
}

extension UpstreamConfiguration {
    /// What can change on SIGHUP.
    init(_ dns: Configuration.DNS) {
        self.init(
            servers: dns.upstream.servers,
            policy: dns.upstream.policy,
            timeout: dns.upstream.timeout,
            allow: dns.recursionAllow
        )
    }
}

extension RecordPolicy {
    /// What decides about records in the configuration.
    init(_ dns: Configuration.DNS) {
        switch dns.onEmpty {
        case .nameError: onEmpty = .absent
        case .noData: onEmpty = .records([])
        // `last_known` is not available yet, and refused when the configuration is read.
        case .serverFailure, .lastKnown: onEmpty = .failure
        }
        isLowestPriorityOnly = dns.priorities == .lowest
    }
}

extension InstanceDefaults {
    /// What fills an instance's fields in the configuration.
    init(_ configuration: Configuration) {
        ttlSeconds = Int(configuration.heartbeat.timeout.wholeSeconds)
        dnsTTL = UInt32(clamping: configuration.dns.ttl.wholeSeconds)
    }
}
