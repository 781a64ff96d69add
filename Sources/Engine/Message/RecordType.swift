/// A record type (IANA "Resource Record (RR) TYPEs").
public struct RecordType: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    /// The type's number.
    public var rawValue: UInt16

    /// The type of that number.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// An IPv4 address (RFC 1035 §3.4.1).
    public static let a = RecordType(rawValue: 1)
    /// An authoritative name server (RFC 1035 §3.3.11).
    public static let ns = RecordType(rawValue: 2)
    /// An alias (RFC 1035 §3.3.1).
    public static let cname = RecordType(rawValue: 5)
    /// The start of a zone of authority (RFC 1035 §3.3.13).
    public static let soa = RecordType(rawValue: 6)
    /// Octets of unknown meaning (RFC 1035 §3.3.10).
    public static let null = RecordType(rawValue: 10)
    /// The name of an address (RFC 1035 §3.3.12).
    public static let ptr = RecordType(rawValue: 12)
    /// Host information, the answer to ANY (RFC 8482 §4.2).
    public static let hinfo = RecordType(rawValue: 13)
    /// Text (RFC 1035 §3.3.14).
    public static let txt = RecordType(rawValue: 16)
    /// An IPv6 address (RFC 3596 §2.1).
    public static let aaaa = RecordType(rawValue: 28)
    /// The location of a service (RFC 2782).
    public static let srv = RecordType(rawValue: 33)
    /// The redirection of a subtree (RFC 6672).
    public static let dname = RecordType(rawValue: 39)
    /// A signature (RFC 4034 §3).
    public static let rrsig = RecordType(rawValue: 46)
    /// The next name of a zone (RFC 4034 §4).
    public static let nsec = RecordType(rawValue: 47)
    /// The next hash of a name in a zone (RFC 5155 §3).
    public static let nsec3 = RecordType(rawValue: 50)
    /// The EDNS pseudo-record (RFC 6891 §6.1).
    public static let opt = RecordType(rawValue: 41)
    /// The signature of a transaction (RFC 8945).
    public static let tsig = RecordType(rawValue: 250)
    /// Incremental zone transfer (RFC 1995).
    public static let ixfr = RecordType(rawValue: 251)
    /// Zone transfer (RFC 5936).
    public static let axfr = RecordType(rawValue: 252)
    /// A request for all records (RFC 1035 §3.2.3, RFC 8482).
    public static let any = RecordType(rawValue: 255)
}
