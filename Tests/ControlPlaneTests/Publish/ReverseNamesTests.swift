import Engine
import Testing

@testable import ControlPlane

@Suite struct ReverseNamesTests {
    private func network(_ text: String) throws -> IPNetwork {
        let parts = text.split(separator: "/")
        return IPNetwork(try #require(IPAddress(parts[0])), prefixLength: try #require(Int(parts[1])))
    }

    private func zones(_ texts: [String]) throws -> ReverseZones { ReverseZones(try texts.map(network)) }

    @Test func `a network's zones end where labels do`() throws {
        func origins(_ text: String) throws -> [String] { try network(text).reverseParts.map(\.reverseOrigin) }
        #expect(try origins("10.0.0.0/8") == ["10.in-addr.arpa"])
        #expect(try origins("192.168.7.0/24") == ["7.168.192.in-addr.arpa"])
        #expect(try origins("0.0.0.0/0") == ["in-addr.arpa"])
        #expect(try origins("172.16.0.0/12") == (16..<32).map { "\($0).172.in-addr.arpa" })
        #expect(try origins("192.168.4.0/22") == (4..<8).map { "\($0).168.192.in-addr.arpa" })
        #expect(try origins("128.0.0.0/1").count == 128)
        #expect(try origins("fc00::/7") == ["c.f.ip6.arpa", "d.f.ip6.arpa"])
        #expect(try origins("2001:db8::/32") == ["8.b.d.0.1.0.0.2.ip6.arpa"])
        #expect(try origins("2001:db8::/62").count == 4)
        let long = try origins("2001:db8::10/123")
        #expect(long.count == 2 && long[0].hasPrefix("0.0.0.") && long[1].hasPrefix("1.0.0."))
        #expect(try network("10.0.0.0/24").canBeReversed && !network("10.0.0.0/25").canBeReversed)
        #expect(try network("::/124").canBeReversed && !network("::/125").canBeReversed)
    }

    @Test func `an address is in the longest zone`() throws {
        let zones = try zones(["10.0.0.0/8", "10.1.0.0/16", "fd00::/8", "10.0.0.0/8"])
        #expect(zones.networks.count == 3)
        func name(_ text: String) throws -> String? {
            zones.name(of: try #require(IPAddress(text))).map { "\($0.zone) \($0.name)" }
        }
        #expect(try name("10.2.3.4") == "0 4.3.2")
        #expect(try name("10.1.3.4") == "1 4.3")
        #expect(try name("11.1.3.4") == nil)
        #expect(try name("fd00::1")?.hasPrefix("2 1.0.0.0.") == true)
        #expect(try name("fd00::1")?.split(separator: ".").count == 30)
        #expect(try name("::1") == nil)
    }

    /// Everything that was published for addresses, by zone and name.
    private final class Told {
        var names: [String: [String]] = [:]

        func take(_ changes: [NameChange]) {
            for change in changes {
                let key = "\(change.zone) \(change.name)"
                switch change.content {
                case .records(let rrsets):
                    names[key] = rrsets.flatMap(\.records).compactMap { record in
                        if case .name(let name) = record.data { name } else { nil }
                    }
                default: names[key] = nil
                }
            }
        }
    }

    @Test func `an address tells the services that it is registered in, once each`() throws {
        var names = ReverseNames(zones: try zones(["10.0.0.0/8"]), domain: "service.kong", ttl: 5)
        let told = Told()
        func tell() {
            told.take(names.changes)
            names.noteTold()
        }
        names.change(1, to: .test(1, name: "web", ip: "10.0.0.1"))
        names.change(2, to: .test(2, name: "orders", ip: "10.0.0.1", draining: true))
        names.change(3, to: .test(3, name: "orders", ip: "10.0.0.1", port: 81))
        names.change(4, to: .test(4, name: "far", ip: "192.0.2.1"))
        tell()
        #expect(told.names == ["1 1.0.0": ["orders.service.kong", "web.service.kong"]])
        // Published changes are not published again, and an equal value is no change.
        names.change(1, to: .test(1, name: "web", ip: "10.0.0.1", weight: 7))
        #expect(names.changes.isEmpty)
        names.change(2, to: nil)
        tell()
        #expect(told.names["1 1.0.0"] == ["orders.service.kong", "web.service.kong"])
        names.change(3, to: .test(3, name: "orders", ip: "10.0.0.2", port: 81))
        tell()
        #expect(told.names == ["1 1.0.0": ["web.service.kong"], "1 2.0.0": ["orders.service.kong"]])
        names.replace("web", by: [.test(9, name: "web", ip: "10.0.0.2")])
        names.change(3, to: .test(3, name: "orders", ip: "192.0.2.7"))
        tell()
        #expect(told.names == ["1 2.0.0": ["web.service.kong"]])
        names.replace("web", by: [])
        tell()
        #expect(told.names.isEmpty)
        names.change(5, to: .test(5, ip: "10.0.0.3"))
        names.change(5, to: nil)
        tell()
        #expect(told.names.isEmpty)
    }

    @Test func `an address tells sixteen names at most, always the same`() throws {
        var names = ReverseNames(zones: try zones(["10.0.0.0/8"]), domain: "service.kong", ttl: 5)
        for number in (0..<40).reversed() {
            let name = "s" + (number < 10 ? "0" : "") + String(number)
            names.change(UInt64(number), to: .test(UInt64(number), name: name))
        }
        let told = Told()
        told.take(names.changes)
        #expect(told.names["1 1.0.0"]?.count == 16 && told.names["1 1.0.0"]?.first == "s00.service.kong")
        #expect(told.names["1 1.0.0"]?.last == "s15.service.kong")
    }

    @Test func `what a publication did not bring is brought by the next`() throws {
        let zone = TestZone()
        var publisher = ZonePublisher(
            sink: zone, policy: RecordPolicy(),
            reverse: ReverseNames(zones: try zones(["10.0.0.0/8"]), domain: "service.kong", ttl: 5))
        let now = Moment(monotonic: .now, wall: WallTime(millisecondsSince1970: 1000))
        zone.reject("orders")
        #expect(throws: EngineError.self) {
            try publisher.publish(["orders"], now: now) { _ in [.test(1, ip: "10.0.0.1")] }
        }
        zone.reject("")
        try publisher.publish(["users"], now: now) { _ in [.test(2, name: "users", ip: "10.0.0.2")] }
        let told = Told()
        for update in zone.updates { told.take(update.changes.filter { $0.zone == 1 }) }
        #expect(told.names == ["1 1.0.0": ["orders.service.kong"], "1 2.0.0": ["users.service.kong"]])
        try publisher.publish(
            [InstanceChange(index: 1, old: .test(2, name: "users", ip: "10.0.0.2"), new: nil)], now: now
        ) { _ in [] }
        told.take(zone.updates.last?.changes.filter { $0.zone == 1 } ?? [])
        #expect(told.names == ["1 1.0.0": ["orders.service.kong"]])
    }
}
