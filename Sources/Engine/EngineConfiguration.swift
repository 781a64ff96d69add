/// What the data plane needs to know before it starts. Values are checked by ``Engine/init(_:)``.
public struct EngineConfiguration: Sendable {
    /// Addresses to answer on, each over UDP and TCP.
    public var listen: [SocketAddress]
    /// Worker threads, each with its own sockets and event loop; 1–256.
    public var workers: Int
    /// The largest UDP answer in octets for a client that offers EDNS; 512–4096.
    public var udpPayload: Int
    /// Which record of an RRset comes first.
    public var strategy: RotationStrategyName
    /// Limits of the TCP service.
    public var tcp: TCPLimits
    /// The zone this server is authoritative for.
    public var zone: ZoneConfiguration
    /// The text of `version.bind` and `version.server` (class CH); empty: REFUSED. At most 255 octets.
    public var version: String
    /// Networks whose addresses have names below `addr.<origin>`; empty: all, but for those that have an
    /// ``AddressRestriction``.
    public var registrableNetworks: [IPNetwork]
    /// Names outside the zone.
    public var recursion: RecursionConfiguration

    /// Joins the parts.
    public init(
        listen: [SocketAddress],
        workers: Int,
        udpPayload: Int = 1232,
        strategy: RotationStrategyName = .roundRobin,
        tcp: TCPLimits = TCPLimits(),
        zone: ZoneConfiguration,
        version: String = "",
        registrableNetworks: [IPNetwork] = [],
        recursion: RecursionConfiguration = RecursionConfiguration()
    ) {
        self.listen = listen
        self.workers = workers
        self.udpPayload = udpPayload
        self.strategy = strategy
        self.tcp = tcp
        self.zone = zone
        self.version = version
        self.registrableNetworks = registrableNetworks
        self.recursion = recursion
    }
}

/// How the first record of an answer is chosen.
public enum RotationStrategyName: String, CaseIterable, Sendable {
    /// Each record in turn.
    case roundRobin = "round_robin"
    /// Any record, uniformly.
    case random
    /// Each record as often as its weight says (smooth weighted round robin).
    case weighted
}

/// Limits of the TCP service (RFC 7766 §6).
public struct TCPLimits: Sendable {
    /// Open connections over all workers; at the limit the one idle longest gives way, none that waits for an answer.
    public var maximumConnections: Int
    /// Open connections of one client address over all workers; at the limit its own idle longest gives way.
    public var maximumPerClient: Int
    /// How long a connection may stay open without a complete query.
    public var idleTimeout: Duration
    /// Queries answered on one connection before it is closed; 0 = no limit.
    public var maximumQueries: Int

    /// Joins the parts.
    public init(
        maximumConnections: Int = 4096,
        maximumPerClient: Int = 256,
        idleTimeout: Duration = .seconds(10),
        maximumQueries: Int = 0
    ) {
        self.maximumConnections = maximumConnections
        self.maximumPerClient = maximumPerClient
        self.idleTimeout = idleTimeout
        self.maximumQueries = maximumQueries
    }
}

/// The zone's own records: all that does not come and go with a ``ZoneUpdate``.
public struct ZoneConfiguration: Sendable {
    /// The zone's name in presentation form without a trailing dot, e.g. `service.kong`; on the wire at most 127
    /// octets.
    public var origin: String
    /// The TTL in seconds of the apex records and of synthesized addresses; 1–86,400.
    public var ttl: UInt32
    /// The TTL in seconds of negative answers: the SOA's MINIMUM (RFC 2308 §4); 1–86,400.
    public var negativeTTL: UInt32
    /// The addresses of `ns.<origin>`.
    public var nameServerAddresses: [IPAddress]

    /// Joins the parts.
    public init(origin: String, ttl: UInt32, negativeTTL: UInt32, nameServerAddresses: [IPAddress]) {
        self.origin = origin
        self.ttl = ttl
        self.negativeTTL = negativeTTL
        self.nameServerAddresses = nameServerAddresses
    }
}
