/// A zone's own records: all that does not come and go with a ``ZoneUpdate``.
public struct ZoneConfiguration: Sendable {
    /// The zone's name in presentation form without a trailing dot, e.g. `service.kong`; on the wire at most 127
    /// octets.
    public var origin: String
    /// The TTL in seconds of the apex records and of synthesized addresses; 1–86,400.
    public var ttl: UInt32
    /// The TTL in seconds of negative answers: the SOA's MINIMUM (RFC 2308 §4); 1–86,400.
    public var negativeTTL: UInt32
    /// The addresses of `ns.<origin>`; of no use to a zone that has its server elsewhere.
    public var nameServerAddresses: [IPAddress]
    /// The zone whose `ns` and `hostmaster` SOA and NS name; `nil`: this one.
    public var server: String?

    /// Joins the parts.
    public init(
        origin: String, ttl: UInt32, negativeTTL: UInt32, nameServerAddresses: [IPAddress], server: String? = nil
    ) {
        self.server = server
        self.origin = origin
        self.ttl = ttl
        self.negativeTTL = negativeTTL
        self.nameServerAddresses = nameServerAddresses
    }
}
