/// A zone's own records: all that does not come and go with a ``ZoneUpdate``.
public struct ZoneConfiguration: Sendable {
    /// The zone's name in presentation form without a trailing dot, e.g. `service.kong`; on the wire at most 127
    /// octets.
    public var origin: String
    /// The TTL in seconds of the apex records; 1–86,400.
    public var ttl: UInt32
    /// The TTL in seconds of synthesized addresses, in ADDITIONAL too: what they say can't change; 1–604,800.
    public var addressTTL: UInt32
    /// How SRV records name their targets.
    public var serviceTargets: ServiceTargets
    /// The TTL in seconds of negative answers: the SOA's MINIMUM (RFC 2308 §4); 1–86,400.
    public var negativeTTL: UInt32
    /// The addresses of `ns.<origin>`; of no use to a zone that has its server elsewhere.
    public var nameServerAddresses: [IPAddress]
    /// The zone whose `ns` and `hostmaster` SOA and NS name; `nil`: this one.
    public var server: String?

    /// Joins the parts.
    public init(
        origin: String, ttl: UInt32, addressTTL: UInt32 = 86_400, negativeTTL: UInt32,
        serviceTargets: ServiceTargets = .addressNames, nameServerAddresses: [IPAddress], server: String? = nil
    ) {
        self.addressTTL = addressTTL
        self.serviceTargets = serviceTargets
        self.server = server
        self.origin = origin
        self.ttl = ttl
        self.negativeTTL = negativeTTL
        self.nameServerAddresses = nameServerAddresses
    }
}

/// How SRV records name their targets (RFC 2782).
public enum ServiceTargets: String, CaseIterable, Sendable {
    /// By the name that is synthesized for the address, `<hex>.addr.<origin>`; the address itself is in ADDITIONAL.
    case addressNames = "addr"
    /// By the address as a name: `10.0.0.1.` has four labels, `fd00::1.` one. Who hands targets to a function that
    /// takes literals asks nothing more.
    case literals = "literal"
}
