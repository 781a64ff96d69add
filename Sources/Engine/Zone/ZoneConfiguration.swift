/// A zone's own records: everything that does not change with a ``ZoneUpdate``.
public struct ZoneConfiguration: Sendable {
    /// The zone's name in presentation form without a trailing dot, e.g. `service.kong`; on the wire at most 127
    /// octets.
    public var origin: String
    /// The TTL in seconds of the apex records; 1–86,400.
    public var ttl: UInt32
    /// The TTL in seconds of synthesized addresses, in ADDITIONAL too; it can be long, since they never change;
    /// 1–604,800.
    public var addressTTL: UInt32
    /// How SRV records name their targets.
    public var serviceTargets: ServiceTargets
    /// The TTL in seconds of negative answers: the SOA's MINIMUM (RFC 2308 §4); 1–86,400.
    public var negativeTTL: UInt32
    /// The addresses of `ns.<origin>`; unused in a zone whose server is in another one.
    public var nameServerAddresses: [IPAddress]
    /// The zone whose `ns` and `hostmaster` SOA and NS name; `nil`: this one.
    public var server: String?

    /// Takes a value for each property.
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
    /// By the name synthesized for the address, `<hex>.addr.<origin>`; the address itself is in ADDITIONAL.
    case addressNames = "addr"
    /// By the address as a name: `10.0.0.1.` has four labels, `fd00::1.` one. Clients that pass targets to a function
    /// that accepts literals need no further query.
    case literals = "literal"
}
