import Engine
import Testing

@testable import ControlPlane

@Suite struct CalendarTimeTests {
    private func rfc3339(_ milliseconds: Int64) -> String {
        String(decoding: CalendarTime(WallTime(millisecondsSince1970: milliseconds)).rfc3339, as: UTF8.self)
    }

    // From date -u --date=@SECONDS.
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
        (1_709_251_199_001, "2024-02-29T23:59:59.001Z"),
        (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ]) func `a time is written as RFC 3339 has it`(milliseconds: Int64, text: String) {
        #expect(rfc3339(milliseconds) == text)
    }

    @Test func `a time is written as HTTP has it`() {
        // The example of RFC 9110 §5.6.7.
        #expect(
            CalendarTime(WallTime(millisecondsSince1970: 784_111_777_000)).httpDate == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}

@Suite struct InstanceIdentifierTests {
    private func make(_ name: String, _ ip: String, _ port: UInt16, _ transport: TransportProtocol = .tcp) -> String {
        InstanceIdentifier.make(name: name, address: IPAddress(ip) ?? .v4(0), port: port, transport: transport)
    }

    @Test func `the same instance has the same id, and no other has it`() {
        #expect(make("orders", "10.0.0.1", 80) == make("orders", "10.0.0.1", 80))
        #expect(make("orders", "::1", 80) == make("orders", "0:0:0:0:0:0:0:1", 80))
        let all = [
            make("orders", "10.0.0.1", 80), make("order", "10.0.0.1", 80), make("orders", "10.0.0.2", 80),
            make("orders", "10.0.0.1", 81), make("orders", "10.0.0.1", 80, .udp), make("orders", "::a00:1", 80),
        ]
        #expect(Set(all).count == all.count)
    }

    @Test func `an id is a name-based UUID, the same in every version of this program`() {
        let id = make("orders", "10.0.0.1", 80)
        let parts = id.split(separator: "-")
        #expect(parts.map(\.count) == [8, 4, 4, 4, 12])
        #expect(parts[2].hasPrefix("5"))
        #expect("89ab".contains(parts[3].prefix(1)))
        #expect(id == "9e6a5b92-dcf1-526f-aab0-b67ccd7a1f4a")
    }
}
