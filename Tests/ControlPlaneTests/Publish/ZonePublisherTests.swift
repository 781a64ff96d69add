import Engine
import Testing

@testable import ControlPlane

@Suite struct ZonePublisherTests {
    private let zone = TestZone()

    private func publish(
        _ publisher: inout ZonePublisher,
        _ instances: [String: [ServiceInstance]],
        seconds: Int64 = 1000
    ) throws {
        let now = Moment(monotonic: .now, wall: WallTime(millisecondsSince1970: seconds * 1000))
        try publisher.publish(Array(instances.keys), now: now) { (instances[$0] ?? []).map { RegisteredInstance($0) } }
    }

    @Test func `names that are no longer in use leave the zone`() throws {
        var publisher = ZonePublisher(sink: zone, policy: RecordPolicy())
        try publish(&publisher, ["orders": [.test(1, tags: ["v1", "eu"]), .test(2, transport: .udp)]])
        #expect(zone.names == ["orders", "_orders._tcp", "_orders._udp", "v1.orders", "eu.orders"])
        try publish(&publisher, ["orders": [.test(1, tags: ["v2", "eu"])]])
        #expect(zone.names == ["orders", "_orders._tcp", "v2.orders", "eu.orders"])
        try publish(&publisher, ["orders": []])
        #expect(zone.names.isEmpty)
        let count = zone.updates.count
        try publish(&publisher, ["orders": []])
        #expect(zone.updates[count].changes.isEmpty)
    }

    @Test func `names that answer a failure leave the zone too`() throws {
        var publisher = ZonePublisher(sink: zone, policy: RecordPolicy(onEmpty: .failure))
        try publish(&publisher, ["orders": [.test(1, draining: true)]])
        #expect(zone.content("orders") == .failure)
        try publish(&publisher, ["orders": []])
        #expect(zone.names.isEmpty)
    }

    @Test func `the serial is the time and never goes back`() throws {
        var publisher = ZonePublisher(sink: zone, policy: RecordPolicy())
        for seconds in [1000, 1005, 990, 1006] as [Int64] {
            try publish(&publisher, ["orders": [.test(1)]], seconds: seconds)
        }
        #expect(zone.updates.map(\.serial) == [1000, 1005, 1005, 1006])
        #expect(publisher.generation == 4)
    }

    @Test func `services that change together are in one update`() throws {
        var publisher = ZonePublisher(sink: zone, policy: RecordPolicy())
        try publish(&publisher, ["orders": [.test(1)], "users": [.test(2, name: "users")]])
        #expect(zone.updates.count == 1)
        #expect(zone.names == ["orders", "_orders._tcp", "users", "_users._tcp"])
    }
}

@Suite struct NameServerAddressesTests {
    private func make(_ listened: [String], _ interfaces: [String]) -> [String] {
        NameServerAddresses.make(
            listened: listened.compactMap { IPAddress($0) },
            interfaces: interfaces.compactMap { IPAddress($0) }
        ).map(\.description)
    }

    @Test func `an address that is listened on is the name server's`() {
        #expect(make(["127.0.0.1", "::1", "127.0.0.1"], ["10.0.0.1"]) == ["127.0.0.1", "::1"])
    }

    @Test func `a wildcard stands for the machine's addresses of its family`() {
        let interfaces = ["127.0.0.1", "10.0.0.1", "169.254.1.1", "fe80::1", "2001:db8::1", "::1"]
        #expect(make(["0.0.0.0"], interfaces) == ["10.0.0.1"])
        #expect(make(["::"], interfaces) == ["2001:db8::1"])
        #expect(make(["0.0.0.0", "10.0.0.1"], interfaces) == ["10.0.0.1"])
    }

    @Test func `a machine without a network has its loopback address`() {
        #expect(make(["0.0.0.0", "::"], ["127.0.0.1"]) == ["127.0.0.1", "::1"])
    }
}
