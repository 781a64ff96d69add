import Engine
import Logging

/// The form of a query in the query log: one line, whatever its name has.
enum QueryLogLine {
    /// Appends a JSON object and a line feed.
    ///
    /// - Parameter now: microseconds since 1970, when the record was taken.
    static func append(_ record: QueryRecord, now: Int64, to octets: inout [UInt8]) {
        var writer = JSONWriter(capacity: 384)
        writer.beginObject()
        writer.member("time")
        writer.string(time(of: record, now: now))
        for (name, text) in texts(of: record) {
            writer.member(name)
            if let text { writer.string(text) } else { writer.null() }
        }
        for (name, number) in numbers(of: record) {
            writer.member(name)
            writer.integer(number)
        }
        writer.endObject()
        octets += writer.octets
        octets.append(UInt8(ascii: "\n"))
    }

    /// The same for a line of the server's log, which has a time of its own.
    static func metadata(_ record: QueryRecord, now: Int64) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["at": .string(time(of: record, now: now))]
        for (name, text) in texts(of: record) { metadata[name] = text.map { .string($0) } }
        for (name, number) in numbers(of: record) { metadata[name] = .stringConvertible(number) }
        return metadata
    }

    private static func texts(of record: QueryRecord) -> [(name: String, text: String?)] {
        [
            ("client", record.client.map { "\($0)" }), ("transport", record.isTCP ? "tcp" : "udp"),
            ("name", record.name.map { PresentationForm.name($0) }),
            ("type", record.name.map { _ in PresentationForm.type(record.type) }), ("flags", flags(of: record)),
            ("rcode", PresentationForm.code(record.code)),
            (
                "reply_flags",
                words(record.replyFlags, [(0x0400, "aa"), (0x0200, "tc"), (0x0080, "ra"), (0x0020, "ad")])
            ),
            ("source", record.source.rawValue),
        ]
    }

    private static func numbers(of record: QueryRecord) -> [(name: String, number: Int)] {
        [
            ("answers", Int(record.answerCount)), ("size", record.byteCount),
            ("microseconds", Int(clamping: record.duration.microseconds)),
        ]
    }

    private static func flags(of record: QueryRecord) -> String {
        // RFC 1035 §4.1.1 and RFC 4035 §3.2.
        let header = words(record.flags, [(0x0100, "rd"), (0x0020, "ad"), (0x0010, "cd")])
        return [header, record.hasEDNS ? "edns" : "", record.isDNSSECOK ? "do" : ""].filter { !$0.isEmpty }
            .joined(separator: " ")
    }

    private static func words(_ flags: UInt16, _ words: [(bit: UInt16, word: String)]) -> String {
        words.filter { flags & $0.bit != 0 }.map(\.word).joined(separator: " ")
    }

    /// When the query came (RFC 3339), in microseconds.
    private static func time(of record: QueryRecord, now: Int64) -> String {
        let (difference, overflow) = now.subtractingReportingOverflow(record.age.microseconds)
        let time = overflow ? now : max(difference, 0)
        var text = CalendarTime(WallTime(millisecondsSince1970: time / 1000)).rfc3339
        text.removeLast()
        let digits = String(time % 1000)
        text += [UInt8](repeating: UInt8(ascii: "0"), count: 3 - digits.utf8.count) + Array(digits.utf8)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
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
