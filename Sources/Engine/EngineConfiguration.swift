/// What the engine needs to know before it starts. ``Engine/init(_:)`` checks the values.
public struct EngineConfiguration: Sendable {
    /// Addresses to answer on, each over UDP and TCP.
    public var listen: [SocketAddress]
    /// Worker threads, each with its own sockets and event loop; 1–256.
    public var workers: Int
    /// The largest UDP answer in octets for a client that offers EDNS; 512–4096.
    public var udpPayload: Int
    /// Networks whose clients get long UDP answers without EDNS.
    public var largeUDPNetworks: [IPNetwork]
    /// The largest UDP answer in octets for these clients, or less if they offer less with EDNS; 512–4096.
    public var largeUDPPayload: Int
    /// Which record of an RRset comes first.
    public var strategy: RotationStrategyName
    /// Limits of the TCP service.
    public var tcp: TCPLimits
    /// The zone of the services.
    public var zone: ZoneConfiguration
    /// Other zones that this server is authoritative for, such as reverse zones.
    public var otherZones: [ZoneConfiguration]
    /// The text of `version.bind` and `version.server` (class CH); empty: REFUSED. At most 255 octets.
    public var version: String
    /// The name server identifier (RFC 5001); empty: replies have none. At most 255 octets.
    public var identifier: String
    /// Networks whose addresses have names below `addr.<origin>`; empty: all but those with an ``AddressRestriction``.
    public var registrableNetworks: [IPNetwork]
    /// How the engine defends itself and others.
    public var defence: DefenceConfiguration
    /// How names outside the zones are forwarded.
    public var forwarding: ForwardingConfiguration

    /// Takes a value for each property.
    public init(
        listen: [SocketAddress],
        workers: Int,
        udpPayload: Int = 1232,
        largeUDPNetworks: [IPNetwork] = [],
        largeUDPPayload: Int = 4096,
        strategy: RotationStrategyName = .roundRobin,
        tcp: TCPLimits = TCPLimits(),
        zone: ZoneConfiguration,
        otherZones: [ZoneConfiguration] = [],
        version: String = "",
        identifier: String = "",
        registrableNetworks: [IPNetwork] = [],
        defence: DefenceConfiguration = DefenceConfiguration(),
        forwarding: ForwardingConfiguration = ForwardingConfiguration()
    ) {
        self.listen = listen
        self.workers = workers
        self.udpPayload = udpPayload
        self.largeUDPNetworks = largeUDPNetworks
        self.largeUDPPayload = largeUDPPayload
        self.strategy = strategy
        self.tcp = tcp
        self.zone = zone
        self.otherZones = otherZones
        self.version = version
        self.identifier = identifier
        self.registrableNetworks = registrableNetworks
        self.defence = defence
        self.forwarding = forwarding
    }

    /// All zones: that of the services first, then the others. ``NameChange/zone`` is an index into them.
    public var zones: [ZoneConfiguration] { [zone] + otherZones }

    /// The length in octets of the longest answer over UDP.
    var longestDatagram: Int { max(udpPayload, largeUDPPayload) }

    /// What answers have that comes from no zone.
    func makeFixedAnswers() throws(EngineError) -> FixedAnswers {
        try FixedAnswers(
            version: version, ttl: zone.ttl, identifier: identifier, idleTimeout: tcp.idleTimeout)
    }

    /// The names that are answered here, whatever upstreams say.
    var ownNames: OwnNames {
        OwnNames((zones.map(\.origin) + SpecialNames.origins).compactMap { RecordPacker.wireName($0) })
    }
}
