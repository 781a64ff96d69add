import Glibc

/// The types that tests ask for.
enum RecordType: UInt16, Sendable {
    case a = 1
    case ns = 2
    case soa = 6
    case ptr = 12
    case txt = 16
    case aaaa = 28
    case srv = 33
    case opt = 41
    case axfr = 252
    case any = 255
}

/// Response codes (RFC 1035 §4.1.1).
enum ResponseCode: UInt8, Sendable {
    case noError, formatError, serverFailure, nameError, notImplemented, refused
    /// RFC 2136 §2.2.
    case notAuthoritative = 9
}

/// A record as it was received.
struct DNSRecord: Sendable, Equatable {
    var name: String
    var type: UInt16
    var ttl: UInt32
    /// The presentation form of A, AAAA, NS, PTR, SRV and SOA; hexadecimal digits for others.
    var text: String
}

/// A parsed query or reply. The code is separate from the server's, so that a test does not share its mistakes.
struct DNSMessage: Sendable {
    struct Malformed: Error, CustomStringConvertible {
        var description: String
    }

    var id: UInt16
    var flags: UInt16
    /// The octets of the question as they came; empty if there is none.
    var question: [UInt8]
    var answers: [DNSRecord]
    var authority: [DNSRecord]
    var additional: [DNSRecord]

    var isResponse: Bool { flags & 0x8000 != 0 }
    var isAuthoritative: Bool { flags & 0x0400 != 0 }
    var isTruncated: Bool { flags & 0x0200 != 0 }
    var code: ResponseCode? { ResponseCode(rawValue: UInt8(flags & 15)) }
    /// The texts of the records in ANSWER, in order.
    var texts: [String] { answers.map(\.text) }

    /// Parses a message. All octets must belong to it.
    init(_ octets: [UInt8]) throws {
        var reader = Reader(octets: octets)
        id = try reader.uint16()
        flags = try reader.uint16()
        let counts = [try reader.uint16(), try reader.uint16(), try reader.uint16(), try reader.uint16()]
        let start = reader.position
        for _ in 0..<counts[0] {
            _ = try reader.name()
            _ = try reader.take(4)
        }
        question = Array(octets[start..<reader.position])
        answers = try reader.records(counts[1])
        authority = try reader.records(counts[2])
        additional = try reader.records(counts[3])
        if reader.position != octets.count { throw Malformed(description: "octets after the end") }
    }

    /// A query for a name in class IN, with RD set as clients set it.
    ///
    /// - Parameter payload: the UDP payload that EDNS offers; `nil`: no EDNS.
    static func query(_ name: String, _ type: RecordType, id: UInt16 = 0, payload: UInt16? = nil) -> [UInt8] {
        var octets = id.octets + [1, 0, 0, 1, 0, 0, 0, 0, 0, payload == nil ? 0 : 1]
        for label in name.split(separator: ".") { octets += [UInt8(truncatingIfNeeded: label.utf8.count)] + label.utf8 }
        octets += [0] + type.rawValue.octets + [0, 1]
        if let payload { octets += [0, 0, 41] + payload.octets + [0, 0, 0, 0, 0, 0] }
        return octets
    }

    private struct Reader {
        let octets: [UInt8]
        var position = 0

        mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard position + count <= octets.count else { throw Malformed(description: "ends too early") }
            defer { position += count }
            return octets[position..<position + count]
        }

        mutating func uint8() throws -> UInt8 { try take(1).reduce(0) { $1 | $0 } }
        mutating func uint16() throws -> UInt16 { try take(2).reduce(0) { $0 << 8 | UInt16($1) } }
        mutating func uint32() throws -> UInt32 { try take(4).reduce(0) { $0 << 8 | UInt32($1) } }

        mutating func name() throws -> String {
            var labels: [String] = []
            var end: Int?
            while true {
                let start = position
                let length = try uint8()
                if length & 0xc0 == 0xc0 {
                    let target = Int(length & 0x3f) << 8 | Int(try uint8())
                    guard target < start else { throw Malformed(description: "a pointer that leads forward") }
                    end = end ?? position
                    position = target
                } else if length == 0 {
                    position = end ?? position
                    return labels.joined(separator: ".")
                } else {
                    labels.append(String(decoding: try take(Int(length)), as: UTF8.self))
                }
            }
        }

        mutating func records(_ count: UInt16) throws -> [DNSRecord] {
            try (0..<count).map { _ in
                let name = try name()
                let type = try uint16()
                _ = try uint16()
                let ttl = try uint32()
                let length = Int(try uint16())
                let end = position + length
                let text = try data(type, length)
                guard position == end else { throw Malformed(description: "RDLENGTH does not fit") }
                return DNSRecord(name: name, type: type, ttl: ttl, text: text)
            }
        }

        private mutating func data(_ type: UInt16, _ length: Int) throws -> String {
            switch RecordType(rawValue: type) {
            case .a:
                return try take(4).map(String.init).joined(separator: ".")
            case .aaaa:
                return Self.text(ofIPv6: try take(16))
            case .ns, .ptr:
                return try name()
            case .srv:
                return "\(try uint16()) \(try uint16()) \(try uint16()) \(try name())"
            case .soa:
                let names = "\(try name()) \(try name())"
                return try (0..<5).reduce(names) { text, _ in "\(text) \(try uint32())" }
            default:
                return try take(length).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            }
        }

        private static func text(ofIPv6 octets: ArraySlice<UInt8>) -> String {
            let octets = Array(octets)
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            // Unsafe: reads 16 octets and writes at most as many as given.
            _ = unsafe inet_ntop(AF_INET6, octets, &text, socklen_t(text.count))
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

extension UInt16 {
    /// The number in network byte order.
    var octets: [UInt8] { [UInt8(self >> 8), UInt8(self & 255)] }
}
