import Engine

extension EngineConfiguration {
    /// The engine's part of the configuration.
    ///
    /// - Parameters:
    ///   - coreCount: the number of workers if the configuration leaves it open.
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
            identifier: dns.nsid,
            registrableNetworks: configuration.registry.networks,
            defence: DefenceConfiguration(dns),
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
    /// How many worker threads there are.
    func workerCount(coreCount: Int) -> Int {
        workers == 0 ? min(coreCount, Engine.maximumWorkers) : workers
    }
}

extension DefenceConfiguration {
    /// The part that says how the engine defends itself, which can change on SIGHUP.
    init(_ dns: Configuration.DNS) {
        self.init(
            allow: dns.allow, rateLimit: ResponseRateLimitSettings(dns.rateLimit), usesCookies: dns.cookies)
    }
}

extension ResponseRateLimitSettings {
    /// The responses a second if the configuration leaves it open.
    private static let usual = 200

    /// `nil`: any number of equal responses.
    init?(_ limit: Configuration.ResponseRateLimit) {
        switch limit.responsesPerSecond {
        case .unlimited: return nil
        case .automatic: self.init(responsesPerSecond: Self.usual, slip: limit.slip, limitsLoopback: false)
        case .limited(let number): self.init(responsesPerSecond: number, slip: limit.slip)
        }
    }
}

extension UpstreamConfiguration {
    /// The part that can change on SIGHUP.
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

extension Checker.Settings {
    /// How health checks are done.
    ///
    /// - Parameter budget: how many runs may have a socket.
    init(_ configuration: Configuration, budget: DescriptorBudget) {
        self.init(
            maximumConcurrent: budget.checks,
            targets: CheckTargets(allow: configuration.checks.allow),
            cutOffShare: configuration.heartbeat.massExpiryBrake)
    }
}

extension RecordPolicy {
    /// The settings that decide about records.
    init(_ dns: Configuration.DNS) {
        switch dns.onEmpty {
        case .nameError: setOnEmpty(.nameError)
        case .noData: setOnEmpty(.noData)
        case .serverFailure: setOnEmpty(.serverFailure)
        case .lastKnown: setOnEmpty(.lastKnown)
        }
        emptyGrace = dns.emptyGrace
        isLowestPriorityOnly = dns.priorities == .lowest
        protectThreshold = dns.protectThreshold
    }
}

extension ReverseNames {
    /// The settings that decide about reverse names.
    init(_ dns: Configuration.DNS) {
        self.init(
            zones: ReverseZones(dns.reverse), domain: dns.domain, ttl: UInt32(clamping: dns.ttl.wholeSeconds))
    }
}

extension InstanceDefaults {
    /// The configured defaults for an instance's fields.
    init(_ configuration: Configuration) {
        ttlSeconds = Int(configuration.heartbeat.timeout.wholeSeconds)
        dnsTTL = UInt32(clamping: configuration.dns.ttl.wholeSeconds)
    }
}

extension RequestOrigin {
    /// The names that `Host` may have.
    init(_ server: Configuration.Server, machineName: String) {
        self.init(hosts: server.hosts, machineName: machineName)
    }
}

extension Configuration {
    /// The folders in which large temporary files may lie, the best one first: beside the data, where there is room for
    /// them.
    var spoolFolders: [String] {
        let file =
            switch storage.type {
            case .memory: ""
            case .sqlite: storage.sqlite.path
            case .etcd: storage.etcd.snapshot
            }
        let folder = file.isEmpty ? nil : FileReason.absolute(file).split(separator: "/").dropLast()
        return (folder.map { ["/" + $0.joined(separator: "/")] } ?? []) + SpoolFile.usualFolders
    }
}
