import CLdns

/// Names, types and records as text, for people (RFC 1035 §5.1). This is cold code, never used for a query.
@safe
public enum PresentationForm {
    /// A name in wire form as text, without the dot at its end; `.` for the root.
    ///
    /// Dots in labels, and all that could mean something else to a reader or a terminal, are escaped.
    public static func name(_ wire: [UInt8]) -> String {
        var text = ""
        var start = 0
        while start < wire.count, wire[start] > 0 {
            if start > 0 { text += "." }
            let end = min(start + 1 + Int(wire[start]), wire.count)
            for octet in wire[(start + 1)..<end] {
                switch octet {
                case UInt8(ascii: "."), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "("), UInt8(ascii: ")"),
                    UInt8(ascii: ";"), UInt8(ascii: "@"), UInt8(ascii: "$"):
                    text += "\\\(Character(Unicode.Scalar(octet)))"
                case 0x21...0x7E: text.append(Character(Unicode.Scalar(octet)))
                default: text += "\\\(octet / 100)\(octet / 10 % 10)\(octet % 10)"
                }
            }
            start = end
        }
        return text.isEmpty ? "." : text
    }

    /// A type's mnemonic, or `TYPE65280` (RFC 3597 §5).
    public static func type(_ number: UInt16) -> String {
        // Nearly all queries are of these.
        switch number {
        case 1: return "A"
        case 28: return "AAAA"
        case 33: return "SRV"
        default: break
        }
        // Unsafe: ldns allocates the text, which is copied and freed.
        guard let text = unsafe ldns_rr_type2str(ldns_rr_type(rawValue: UInt32(number))) else { return "TYPE\(number)" }
        defer { unsafe free(text) }
        return unsafe String(cString: text)
    }

    /// The number of a type's mnemonic in any case, or of `TYPE65280`; `nil`: there is no such type.
    public static func type(_ text: String) -> UInt16? {
        guard (1...16).contains(text.utf8.count), text.utf8.allSatisfy({ (0x2D...0x7A).contains($0) }) else {
            return nil
        }
        // Unsafe: ldns only reads the text.
        let number = unsafe ldns_get_rr_type_by_name(text).rawValue
        return number == 0 ? nil : UInt16(exactly: number)
    }

    /// A response code's mnemonic (IANA "DNS RCODEs"), or `RCODE23`.
    public static func code(_ code: UInt16) -> String {
        switch code {
        case ResponseCode.noError: "NOERROR"
        case ResponseCode.formatError: "FORMERR"
        case ResponseCode.serverFailure: "SERVFAIL"
        case ResponseCode.nameError: "NXDOMAIN"
        case ResponseCode.notImplemented: "NOTIMP"
        case ResponseCode.refused: "REFUSED"
        case ResponseCode.nameExists: "YXDOMAIN"
        case ResponseCode.badVersion: "BADVERS"
        default: "RCODE\(code)"
        }
    }

    /// A record as text.
    public struct RecordText: Sendable, Equatable {
        /// The section of a record.
        public enum Section: String, Sendable {
            case answer, authority, additional
        }

        /// Its section.
        public var section: Section
        /// The owner, with the dot at its end.
        public var name: String
        /// Its TTL in seconds.
        public var ttl: UInt32
        /// The type.
        public var type: String
        /// The data.
        public var data: String
    }

    /// The records of a reply that this server has made; empty if it has none.
    static func records(of reply: [UInt8]) -> [RecordText] {
        var records: [RecordText] = []
        // Unsafe: ldns reads as many octets as there are; the packet is freed here.
        var made: UnsafeMutablePointer<ldns_pkt>?
        guard unsafe ldns_wire2pkt(&made, reply, reply.count) == LDNS_STATUS_OK, let made = unsafe made else {
            return []
        }
        defer { unsafe ldns_pkt_free(made) }
        unsafe append(ldns_pkt_answer(made), .answer, to: &records)
        unsafe append(ldns_pkt_authority(made), .authority, to: &records)
        unsafe append(ldns_pkt_additional(made), .additional, to: &records)
        return records
    }

    private static func append(
        _ list: UnsafeMutablePointer<ldns_rr_list>?, _ section: RecordText.Section, to records: inout [RecordText]
    ) {
        guard let list = unsafe list else { return }
        let count = unsafe ldns_rr_list_rr_count(list)
        for index in 0..<count {
            guard let record = unsafe ldns_rr_list_rr(list, index), let text = unsafe ldns_rr2str(record) else {
                continue
            }
            defer { unsafe free(text) }
            // Owner, TTL, class, type, data.
            let fields = unsafe String(cString: text).split(separator: "\t", maxSplits: 4)
            guard fields.count == 5, let ttl = UInt32(fields[1]) else { continue }
            let data = fields[4].last == "\n" ? fields[4].dropLast() : fields[4]
            records.append(
                RecordText(
                    section: section, name: String(fields[0]), ttl: ttl, type: String(fields[3]), data: String(data)))
        }
    }
}
