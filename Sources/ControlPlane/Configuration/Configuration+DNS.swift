public import Engine

extension Configuration {
    /// `dns`: the DNS service.
    public struct DNS: Sendable, Equatable {
        /// Addresses to answer on, each over UDP and TCP; at least one.
        public var listen = [SocketAddress(.v4(0x7F00_0001), port: 8600)]
        /// Worker threads, 0–256; 0: one per core.
        public var workers = 0
        /// The domain of all services: lower case, no trailing dot, at most 127 octets on the wire.
        public var domain = "service.kong"
        /// The TTL of records; whole seconds, 1 to 86,400.
        public var ttl = Duration.seconds(5)
        /// The TTL of `<hex>.addr` names, in ADDITIONAL too; whole seconds, 1 to 604,800.
        public var addressTTL = Duration.seconds(86_400)
        /// How SRV records name their targets.
        public var serviceTargets = ServiceTargets.addressNames
        /// The TTL of negative answers (RFC 2308 §4); whole seconds, 1 to 86,400.
        public var negativeTTL = Duration.seconds(1)
        /// Which record of an answer comes first.
        public var strategy = RotationStrategyName.roundRobin
        /// What a known service without a healthy instance answers.
        public var onEmpty = OnEmpty.nameError
        /// How long a name answers SERVFAIL after its last healthy instance has gone, before ``onEmpty`` applies; 0 to
        /// 3,600 s.
        public var emptyGrace = Duration.seconds(30)
        /// The share (0–1) of a service's healthy instances below which critical ones are answered too; 0: never.
        public var protectThreshold = 0.0
        /// Which priority groups are answered.
        public var priorities = Priorities.lowest
        /// The largest UDP answer in octets for a client that offers EDNS; 512–4096.
        public var udpPayload = 1232
        /// Who gets large UDP answers without EDNS.
        public var largeUDP = LargeUDP()
        /// Networks whose queries are answered; empty: all.
        public var allow: [IPNetwork] = []
        /// Networks whose queries for other domains are forwarded.
        public var recursionAllow = [
            IPNetwork(.v4(0x7F00_0000), prefixLength: 8),
            IPNetwork(.v6(0, 1), prefixLength: 128),
            IPNetwork(.v4(0x0A00_0000), prefixLength: 8),
            IPNetwork(.v4(0xAC10_0000), prefixLength: 12),
            IPNetwork(.v4(0xC0A8_0000), prefixLength: 16),
            IPNetwork(.v6(0xFC00 << 48, 0), prefixLength: 7),
        ]
        /// The limit of equal responses to one client network.
        public var rateLimit = ResponseRateLimit()
        /// Whether DNS cookies (RFC 7873) are used.
        public var cookies = true
        /// Networks for whose addresses reverse names are answered.
        public var reverse: [IPNetwork] = []
        /// The text of `version.bind`; empty: REFUSED. At most 255 octets.
        public var version = ""
        /// The name server identifier (RFC 5001); empty: none.
        public var nsid = ""
        /// Limits of the TCP service.
        public var tcp = TCP()
        /// The servers that names in other domains are forwarded to.
        public var upstream = Upstream()
        /// The cache of forwarded answers.
        public var cache = Cache()

        /// All defaults.
        public init() {}
    }

    /// `dns.large_udp`: clients that get large UDP answers without EDNS.
    public struct LargeUDP: Sendable, Equatable {
        /// The clients' networks; empty: none.
        public var networks: [IPNetwork] = []
        /// The largest answer to them in octets; 512–4096.
        public var payload = 4096

        /// All defaults.
        public init() {}
    }

    /// `dns.on_empty`: what a known service without a healthy instance answers.
    public enum OnEmpty: String, CaseIterable, Sendable {
        /// NXDOMAIN, as if it did not exist.
        case nameError = "nxdomain"
        /// NOERROR without records.
        case noData = "nodata"
        /// SERVFAIL: clients keep what they have.
        case serverFailure = "servfail"
        /// The instances that were healthy last.
        case lastKnown = "last_known"
    }

    /// `dns.priorities`: which priority groups are answered.
    public enum Priorities: String, CaseIterable, Sendable {
        /// Only the best group that has a healthy instance.
        case lowest
        /// Every group.
        case all
    }

    /// `dns.rate_limit`: the limit of equal responses to one client network.
    public struct ResponseRateLimit: Sendable, Equatable {
        /// Responses a second.
        public var responsesPerSecond = ResponsesPerSecond.automatic
        /// Above the limit, every n-th response is sent truncated instead of dropped; 0: none.
        public var slip = 2

        /// All defaults.
        public init() {}
    }

    /// `dns.rate_limit.responses_per_second`.
    public enum ResponsesPerSecond: Sendable, Equatable {
        /// 200 to clients beyond loopback, any number on it.
        case automatic
        /// This many, 1–1,000,000, wherever the client is.
        case limited(Int)
        /// Any number.
        case unlimited
    }

    /// `dns.tcp`: limits of the TCP service (RFC 7766 §6).
    public struct TCP: Sendable, Equatable {
        /// Open connections.
        public var maximumConnections = 4096
        /// Open connections of one client address.
        public var maximumPerClient = 256
        /// How long a connection may stay open without a complete query.
        public var idleTimeout = Duration.seconds(10)
        /// Queries answered on one connection before it is closed; 0: no limit.
        public var maximumQueries = 0

        /// All defaults.
        public init() {}
    }

    /// `dns.upstream`: the servers that names in other domains are forwarded to.
    public struct Upstream: Sendable, Equatable {
        /// The servers; empty: other domains are refused.
        public var servers: [SocketAddress] = []
        /// Which server is asked first.
        public var policy = UpstreamPolicyName.fastest
        /// How long a client waits at most, over all attempts.
        public var timeout = Duration.milliseconds(1500)
        /// Queries under way at once.
        public var maximumInFlight = 4096
        /// Which servers are asked with letters in random case.
        public var caseRandomization = CaseRandomization.automatic

        /// All defaults.
        public init() {}
    }

    /// `dns.cache`: the cache of forwarded answers.
    public struct Cache: Sendable, Equatable {
        /// Answers kept at most; 0: none.
        public var maximumEntries = 100_000
        /// Lower TTLs are raised to this.
        public var minimumTTL = Duration.zero
        /// Higher TTLs are lowered to this.
        public var maximumTTL = Duration.seconds(3600)
        /// Higher TTLs of negative answers are lowered to this (RFC 2308 §5).
        public var negativeTTL = Duration.seconds(30)
        /// How long an expired answer may stand in when no fresh one can be had (RFC 8767); zero: never.
        public var serveStale = Duration.seconds(3600)
        /// Whether a popular answer is fetched again before it expires.
        public var prefetch = true

        /// All defaults.
        public init() {}
    }
}
