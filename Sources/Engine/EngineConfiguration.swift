/// What the data plane needs to know before it starts. Values are checked by ``Engine/init(_:)``.
public struct EngineConfiguration: Sendable {
    /// Addresses to answer on, each over UDP and TCP.
    public var listen: [SocketAddress]
    /// Worker threads, each with its own sockets and event loop; 1–256.
    public var workers: Int
    /// The largest UDP answer in octets for a client that offers EDNS; 512–4096.
    public var udpPayload: Int
    /// Networks whose clients get long UDP answers without EDNS.
    public var largeUDPNetworks: [IPNetwork]
    /// The largest UDP answer in octets for these, or what they offer with EDNS; 512–4096.
    public var largeUDPPayload: Int
    /// Which record of an RRset comes first.
    public var strategy: RotationStrategyName
    /// Limits of the TCP service.
    public var tcp: TCPLimits
    /// The zone this server is authoritative for.
    public var zone: ZoneConfiguration
    /// Other zones that are answered, such as those of reverse names.
    public var otherZones: [ZoneConfiguration]
    /// The text of `version.bind` and `version.server` (class CH); empty: REFUSED. At most 255 octets.
    public var version: String
    /// Networks whose addresses have names below `addr.<origin>`; empty: all, but for those that have an
    /// ``AddressRestriction``.
    public var registrableNetworks: [IPNetwork]
    /// Names outside the zone.
    public var forwarding: ForwardingConfiguration

    /// Joins the parts.
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
        registrableNetworks: [IPNetwork] = [],
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
        self.registrableNetworks = registrableNetworks
        self.forwarding = forwarding
    }

    /// All zones: the one of the services, then the others. Their places are those that ``NameChange/zone`` means.
    public var zones: [ZoneConfiguration] { [zone] + otherZones }

    /// Octets of the longest answer over UDP.
    var longestDatagram: Int { max(udpPayload, largeUDPPayload) }

    /// The names that are answered here, whatever upstreams say.
    var ownNames: OwnNames {
        OwnNames((zones.map(\.origin) + SpecialNames.origins).compactMap { RecordPacker.wireName($0) })
    }
}
