import Engine
import Logging

/// The form of a query in the query log: one line, whatever its name has.
enum QueryLogLine {
    /// Appends a JSON object and a line feed.
    ///
    /// There may be ten thousand such lines a second: no text is made on the way, but for rare names and IPv6.
    ///
    /// - Parameter now: microseconds since 1970, when the record was taken.
    static func append(_ record: QueryRecord, now: Int64, to line: inout [UInt8]) {
        line += #"{"time":""#.utf8
        appendTime(of: record, now: now, to: &line)
        line += #"","client":"#.utf8
        append(record.client, to: &line)
        line += (record.isTCP ? #","transport":"tcp","name":"# : #","transport":"udp","name":"#).utf8
        if let name = record.name {
            line.append(UInt8(ascii: "\""))
            if !appendPlain(name, to: &line) { appendEscaped(PresentationForm.name(name), to: &line) }
            line += #"","type":""#.utf8
            line += PresentationForm.type(record.type).utf8
            line += #"","flags":""#.utf8
        } else {
            line += #"null,"type":null,"flags":""#.utf8
        }
        appendFlags(of: record, to: &line)
        line += #"","rcode":""#.utf8
        line += PresentationForm.code(record.code).utf8
        line += #"","reply_flags":""#.utf8
        append(record.replyFlags, replyFlags, to: &line)
        line += #"","source":""#.utf8
        line += record.source.rawValue.utf8
        line += #"","answers":"#.utf8
        line.appendDecimal(Int64(record.answerCount))
        line += #","size":"#.utf8
        line.appendDecimal(Int64(record.byteCount))
        line += #","microseconds":"#.utf8
        line.appendDecimal(record.duration.microseconds)
        line += "}\n".utf8
    }

    /// The same for a line of the server's log, which has a time of its own.
    static func metadata(_ record: QueryRecord, now: Int64) -> Logger.Metadata {
        func text(_ append: (inout [UInt8]) -> Void) -> Logger.MetadataValue {
            var octets: [UInt8] = []
            append(&octets)
            return .string(String(decoding: octets, as: UTF8.self))
        }
        var metadata: Logger.Metadata = [
            "at": text { appendTime(of: record, now: now, to: &$0) }, "transport": record.isTCP ? "tcp" : "udp",
            "flags": text { appendFlags(of: record, to: &$0) },
            "rcode": .string(PresentationForm.code(record.code)),
            "reply_flags": text { append(record.replyFlags, replyFlags, to: &$0) },
            "source": .string(record.source.rawValue), "answers": .stringConvertible(record.answerCount),
            "size": .stringConvertible(record.byteCount),
            "microseconds": .stringConvertible(record.duration.microseconds),
        ]
        metadata["client"] = record.client.map { .stringConvertible($0) }
        metadata["name"] = record.name.map { .string(PresentationForm.name($0)) }
        metadata["type"] = record.name.map { _ in .string(PresentationForm.type(record.type)) }
        return metadata
    }

    // MARK: Parts

    /// RFC 1035 §4.1.1 and RFC 4035 §3.2.
    private static let queryFlags: [(bit: UInt16, word: StaticString)] = [
        (0x0100, "rd"), (0x0020, "ad"), (0x0010, "cd"),
    ]
    private static let replyFlags: [(bit: UInt16, word: StaticString)] = [
        (0x0400, "aa"), (0x0200, "tc"), (0x0080, "ra"), (0x0020, "ad"),
    ]

    private static func append(_ client: IPAddress?, to line: inout [UInt8]) {
        switch client {
        case .v4(let address):
            line.append(UInt8(ascii: "\""))
            for shift in stride(from: 24, through: 0, by: -8) {
                if shift < 24 { line.append(UInt8(ascii: ".")) }
                line.appendDecimal(Int64(address >> shift & 255))
            }
            line.append(UInt8(ascii: "\""))
        case .v6:
            line.append(UInt8(ascii: "\""))
            line += (client?.description ?? "").utf8
            line.append(UInt8(ascii: "\""))
        case nil: line += "null".utf8
        }
    }

    /// Appends a name whose labels have nothing but letters, digits, hyphens and underscores.
    ///
    /// - Parameter name: in wire form.
    /// - Returns: whether it is such a name; else nothing is appended.
    private static func appendPlain(_ name: [UInt8], to line: inout [UInt8]) -> Bool {
        let start = line.count
        var next = 0
        while next < name.count, name[next] > 0 {
            let end = next + 1 + Int(name[next])
            guard end <= name.count else { break }
            if next > 0 { line.append(UInt8(ascii: ".")) }
            for octet in name[next + 1..<end] {
                guard octet.isPlain else {
                    line.removeLast(line.count - start)
                    return false
                }
                line.append(octet)
            }
            next = end
        }
        if line.count > start, next == name.count - 1 { return true }
        line.removeLast(line.count - start)
        return false
    }

    /// Appends what is between the quotes of a JSON string.
    private static func appendEscaped(_ text: String, to line: inout [UInt8]) {
        var writer = JSONWriter(capacity: 512)
        writer.string(text)
        line += writer.octets.dropFirst().dropLast()
    }

    private static func appendFlags(of record: QueryRecord, to line: inout [UInt8]) {
        let start = line.count
        append(record.flags, queryFlags, to: &line)
        if record.hasEDNS { line += (line.count > start ? " edns" : "edns").utf8 }
        if record.isDNSSECOK { line += (line.count > start ? " do" : "do").utf8 }
    }

    private static func append(
        _ flags: UInt16, _ words: [(bit: UInt16, word: StaticString)], to line: inout [UInt8]
    ) {
        let start = line.count
        for (bit, word) in words where flags & bit != 0 {
            if line.count > start { line.append(UInt8(ascii: " ")) }
            line += word.description.utf8
        }
    }

    /// Appends when the query came (RFC 3339), in microseconds.
    private static func appendTime(of record: QueryRecord, now: Int64, to line: inout [UInt8]) {
        let (difference, overflow) = now.subtractingReportingOverflow(record.age.microseconds)
        let time = max(overflow ? now : difference, 0)
        CalendarTime(WallTime(millisecondsSince1970: time / 1000)).appendRFC3339(to: &line)
        line.removeLast()
        let rest = time % 1000
        if rest < 100 { line.append(UInt8(ascii: "0")) }
        if rest < 10 { line.append(UInt8(ascii: "0")) }
        line.appendDecimal(rest)
        line.append(UInt8(ascii: "Z"))
    }
}

extension UInt8 {
    /// Whether it is a letter, a digit, a hyphen or an underscore, which need no escape anywhere.
    fileprivate var isPlain: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension Duration {
    /// Whole microseconds, rounded down.
    fileprivate var microseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : product &+ attoseconds / 1_000_000_000_000
    }
}
