import Foundation
import Logging
import Testing

@testable import ControlPlane
@testable import Engine

/// A line of the query log, octet by octet.
struct QueryLogLineTests {
    /// 2026-01-02T03:04:05.000007Z.
    private let now: Int64 = 1_767_323_045_000_007

    private func record(_ change: (inout QueryRecord) -> Void = { _ in }) -> QueryRecord {
        var record = QueryRecord(
            age: .zero, client: .v4(0x0A00_00FF), isTCP: false, name: Array("\u{6}Orders\u{4}kong\u{0}".utf8), type: 33,
            flags: 0x0100, hasEDNS: false, isDNSSECOK: false, replyFlags: 0x8580, code: 0, answerCount: 3,
            byteCount: 181, source: .zone, duration: .microseconds(12))
        change(&record)
        return record
    }

    private func line(_ record: QueryRecord) -> String {
        var octets = Array("before\n".utf8)
        QueryLogLine.append(record, now: now, to: &octets)
        let text = String(decoding: octets, as: UTF8.self)
        #expect(text.hasPrefix("before\n") && text.hasSuffix("}\n"))
        return String(text.dropFirst("before\n".count).dropLast())
    }

    @Test func `a usual query`() {
        #expect(
            line(record()) == """
                {"time":"2026-01-02T03:04:05.000007Z","client":"10.0.0.255","transport":"udp","name":"Orders.kong",\
                "type":"SRV","flags":"rd","rcode":"NOERROR","reply_flags":"aa ra","source":"zone","answers":3,\
                "size":181,"microseconds":12}
                """)
    }

    @Test func `all flags, IPv6, TCP, another type and code`() throws {
        let client = try #require(IPAddress("2001:db8::1"))
        let record = record {
            ($0.client, $0.isTCP, $0.type, $0.code, $0.source) = (client, true, 65280, 16, .none)
            ($0.flags, $0.replyFlags, $0.hasEDNS, $0.isDNSSECOK) = (0x0130, 0x87A0, true, true)
            ($0.answerCount, $0.byteCount, $0.duration, $0.age) = (0, 65535, .seconds(1500), .microseconds(8))
        }
        #expect(
            line(record) == """
                {"time":"2026-01-02T03:04:04.999999Z","client":"2001:db8::1","transport":"tcp","name":"Orders.kong",\
                "type":"TYPE65280","flags":"rd ad cd edns do","rcode":"BADVERS","reply_flags":"aa tc ra ad",\
                "source":"none","answers":0,"size":65535,"microseconds":1500000000}
                """)
    }

    @Test func `without a question, client and flags`() {
        let record = record {
            ($0.name, $0.client, $0.type, $0.flags, $0.replyFlags, $0.code) = (nil, nil, 0, 0, 0x8001, 1)
        }
        #expect(
            line(record) == """
                {"time":"2026-01-02T03:04:05.000007Z","client":null,"transport":"udp","name":null,"type":null,\
                "flags":"","rcode":"FORMERR","reply_flags":"","source":"zone","answers":3,"size":181,"microseconds":12}
                """)
    }

    @Test(
        arguments: [
            [0], [1, 46, 0], [3, 34, 92, 10, 0], [2, 0, 255, 0], [1, 97], [5, 97], [1, 64, 1, 97, 0], [1, 97, 0, 1],
        ] as [[UInt8]])
    func `any name is what it is for people, and the line is JSON`(name: [UInt8]) throws {
        struct Line: Decodable { var name: String }
        let line = line(record { $0.name = name })
        #expect(try JSONDecoder().decode(Line.self, from: Data(line.utf8)).name == PresentationForm.name(name))
    }

    @Test(arguments: [Int64.min, -1, 0, .max])
    func `any time, and any age, is a time`(microseconds: Int64) throws {
        struct Line: Decodable {
            var time: String
            var microseconds: Int64
        }
        for age in [Duration.zero, .seconds(Int64.max), .seconds(Int64.min)] {
            var octets: [UInt8] = []
            QueryLogLine.append(record { ($0.age, $0.duration) = (age, age) }, now: microseconds, to: &octets)
            let line = try JSONDecoder().decode(Line.self, from: Data(octets))
            #expect(line.time.utf8.count == 27 && line.time.hasSuffix("Z"))
        }
    }

    @Test func `the server's log has the same`() {
        let metadata = QueryLogLine.metadata(record(), now: now)
        #expect(
            metadata.mapValues(\.description) == [
                "at": "2026-01-02T03:04:05.000007Z", "client": "10.0.0.255", "transport": "udp", "name": "Orders.kong",
                "type": "SRV", "flags": "rd", "rcode": "NOERROR", "reply_flags": "aa ra", "source": "zone",
                "answers": "3", "size": "181", "microseconds": "12",
            ])
    }
}
