import Engine
import Testing

@testable import ControlPlane

@Suite struct ChangeJournalTests {
    private let lease = Lease(ttlSeconds: 0, now: TestClock().now)

    @Test func `what comes, changes and goes is noted in its order, from the moment it is opened`() {
        var table = InstanceTable()
        table.put(.test(1), lease: lease)
        table.journal.open()
        table.put(.test(2), lease: lease)
        table.put(.test(2, weight: 7), lease: nil)
        table.put(.test(2, name: "users", weight: 7), lease: nil)
        table.remove(id: "i2")
        table.remove(id: "i2")
        #expect(
            table.journal.take() == [
                InstanceChange(old: nil, new: .test(2)),
                InstanceChange(old: .test(2), new: .test(2, weight: 7)),
                InstanceChange(old: .test(2, weight: 7), new: .test(2, name: "users", weight: 7)),
                InstanceChange(old: .test(2, name: "users", weight: 7), new: nil),
            ])
        #expect(table.journal.take().isEmpty)
    }

    @Test func `an instance that expires is noted`() {
        let clock = TestClock()
        var table = InstanceTable()
        table.put(.test(1), lease: Lease(ttlSeconds: 5, now: clock.now))
        table.journal.open()
        clock.advance(by: .seconds(6))
        _ = table.removeExpired(at: clock.now.monotonic, limit: 10)
        #expect(table.journal.take() == [InstanceChange(old: .test(1), new: nil)])
    }

    @Test func `a number that is in use already is noted as the one that the instance gets`() throws {
        var table = InstanceTable()
        table.journal.open()
        table.put(.test(1), lease: lease)
        var other = ServiceInstance.test(1)
        other.id = "other"
        table.put(other, lease: lease)
        let noted = try #require(table.journal.take().last?.new)
        #expect(noted == table.instance(id: "other")?.instance)
        #expect(noted.sequence != 1)
    }

    @Test func `every field that DNS tells of is noted, and no other`() {
        let known = ServiceInstance.test(1, tags: ["v1"])
        func isNoted(_ change: (inout ServiceInstance) -> Void) -> Bool {
            var changed = known
            change(&changed)
            #expect(changed != known)
            #expect(changed.looksInDNSLike(known) == !InstanceChange(old: known, new: changed).isSeenInDNS)
            return InstanceChange(old: known, new: changed).isSeenInDNS
        }
        #expect(isNoted { $0.name = "users" })
        #expect(isNoted { $0.address = .v4(1) })
        #expect(isNoted { $0.port = 81 })
        #expect(isNoted { $0.transport = .udp })
        #expect(isNoted { $0.tags = ["v2"] })
        #expect(isNoted { $0.weight = 1 })
        #expect(isNoted { $0.priority = 1 })
        #expect(isNoted { $0.dnsTTL = 6 })
        #expect(isNoted { $0.isDraining = true })
        #expect(isNoted { $0.sequence = 2 })
        #expect(!isNoted { $0.metadata = [MetadataEntry(key: "k", value: "v")] })
        #expect(!isNoted { $0.ttlSeconds = 31 })
        #expect(!isNoted { $0.registeredAt = WallTime(millisecondsSince1970: 1) })
        #expect(!isNoted { $0.id = "other" })
    }
}
