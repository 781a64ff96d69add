import Engine

extension EngineConfiguration {
    /// What the data plane needs of the configuration.
    ///
    /// - Parameters:
    ///   - coreCount: workers when the configuration leaves their number open.
    ///   - interfaces: the machine's addresses, for `ns.<domain>`.
    ///   - budget: how many connections and sockets there may be.
    init(_ configuration: Configuration, coreCount: Int, interfaces: [IPAddress], budget: DescriptorBudget) {
        let dns = configuration.dns
        self.init(
            listen: dns.listen,
            workers: dns.workerCount(coreCount: coreCount),
            udpPayload: dns.udpPayload,
            largeUDPNetworks: dns.largeUDP.networks,
            largeUDPPayload: dns.largeUDP.payload,
            strategy: dns.strategy,
            tcp: TCPLimits(
                maximumConnections: budget.tcpConnections,
                maximumPerClient: dns.tcp.maximumPerClient,
                idleTimeout: dns.tcp.idleTimeout,
                maximumQueries: dns.tcp.maximumQueries
            ),
            zone: ZoneConfiguration(
                origin: dns.domain,
                ttl: UInt32(clamping: dns.ttl.wholeSeconds),
                addressTTL: UInt32(clamping: dns.addressTTL.wholeSeconds),
                negativeTTL: UInt32(clamping: dns.negativeTTL.wholeSeconds),
                serviceTargets: dns.serviceTargets,
                nameServerAddresses: NameServerAddresses.make(
                    listened: dns.listen.map(\.address),
                    interfaces: interfaces
                )
            ),
            otherZones: ReverseZones(dns.reverse).networks.map { network in
                ZoneConfiguration(
                    origin: network.reverseOrigin,
                    ttl: UInt32(clamping: dns.ttl.wholeSeconds),
                    negativeTTL: UInt32(clamping: dns.negativeTTL.wholeSeconds),
                    nameServerAddresses: [],
                    server: dns.domain
                )
            },
            version: dns.version,
            registrableNetworks: configuration.registry.networks,
            forwarding: ForwardingConfiguration(
                upstreams: UpstreamConfiguration(dns),
                maximumInFlight: dns.upstream.maximumInFlight,
                maximumSocketsPerWorker: budget.upstreamSocketsPerWorker,
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

extension Configuration.DNS {
    /// How many threads answer.
    func workerCount(coreCount: Int) -> Int {
        workers == 0 ? min(coreCount, Engine.maximumWorkers) : workers
    }
}

extension UpstreamConfiguration {
    /// What can change on SIGHUP.
    init(_ dns: Configuration.DNS) {
        self.init(
            servers: dns.upstream.servers,
            policy: dns.upstream.policy,
            timeout: dns.upstream.timeout,
            allow: dns.recursionAllow,
            caseRandomization: dns.upstream.caseRandomization
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
        emptyGrace = dns.emptyGrace
        isLowestPriorityOnly = dns.priorities == .lowest
    }
}

extension ReverseNames {
    /// What decides about addresses' names in the configuration.
    init(_ dns: Configuration.DNS) {
        self.init(
            zones: ReverseZones(dns.reverse), domain: dns.domain, ttl: UInt32(clamping: dns.ttl.wholeSeconds))
    }
}

extension InstanceDefaults {
    /// What fills an instance's fields in the configuration.
    init(_ configuration: Configuration) {
        ttlSeconds = Int(configuration.heartbeat.timeout.wholeSeconds)
        dnsTTL = UInt32(clamping: configuration.dns.ttl.wholeSeconds)
    }
}

extension RequestOrigin {
    /// Which names `Host` may have: any once tokens say who may do what, for a web page has none.
    init(_ server: Configuration.Server, machineName: String) {
        self.init(hosts: server.tokensFile.isEmpty ? server.hosts : ["*"], machineName: machineName)
    }
}
