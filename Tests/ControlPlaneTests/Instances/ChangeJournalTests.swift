import Engine
import Testing

@testable import ControlPlane

@Suite struct ChangeJournalTests {
    private let lease = Lease(ttlSeconds: 0, now: TestClock().now)
    private let web = [Check.test("web")]

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
                change(2, nil, .test(2)),
                change(3, .test(2), .test(2, weight: 7)),
                change(4, .test(2, weight: 7), .test(2, name: "users", weight: 7)),
                change(5, .test(2, name: "users", weight: 7), nil),
            ])
        #expect(table.journal.take().isEmpty)
        #expect(table.changeIndex == 5)
    }

    @Test func `what changes nothing has no index`() {
        var table = InstanceTable()
        table.put(.test(1), lease: lease)
        table.journal.open()
        table.put(.test(1), lease: lease)
        _ = table.renew(id: "i1", now: TestClock().now)
        #expect(table.setHealth(InstanceHealth(), of: "i1") == nil)
        #expect(table.setHealth(InstanceHealth(web: .critical), of: "nobody") == nil)
        #expect(table.journal.take().isEmpty)
        #expect(table.changeIndex == 1)
    }

    @Test func `health decides the status and whether DNS answers, and outlives a registration`() throws {
        var table = InstanceTable()
        table.put(.test(1, checks: web), lease: lease)
        table.put(.test(2), lease: lease)
        table.journal.open()
        func counts() -> [StatusCounts] { [table.counts, table.serviceSummaries(after: nil, limit: 9)[0].counts] }

        let first = table.setHealth(InstanceHealth(web: .warning), of: "i1")
        let warning = try #require(first)
        #expect(warning.index == 3 && !warning.isSeenInDNS)
        #expect(warning.old?.status == .passing && warning.new?.status == .warning)
        #expect(counts() == [StatusCounts(passing: 1, warning: 1), StatusCounts(passing: 1, warning: 1)])

        let second = table.setHealth(InstanceHealth(web: .critical), of: "i1")
        let critical = try #require(second)
        #expect(critical.index == 4 && critical.isSeenInDNS)
        #expect(counts() == [StatusCounts(passing: 1, critical: 1), StatusCounts(passing: 1, critical: 1)])
        #expect(table.journal.take() == [warning, critical])

        table.put(.test(1, weight: 7, checks: web), lease: lease)
        #expect(table.instance(id: "i1")?.status == .critical)
        #expect(table.instance(id: "i1")?.isHealthy == false)
        table.put(.test(1, weight: 7, checks: web, draining: true), lease: nil)
        #expect(table.instance(id: "i1")?.status == .draining)
        let changes = table.journal.take()
        // A critical one may be answered, a draining one never is.
        #expect(changes.map(\.isSeenInDNS) == [true, true])

        table.remove(id: "i1")
        #expect(counts() == [StatusCounts(passing: 1), StatusCounts(passing: 1)])
        table.put(.test(1, checks: web), lease: lease)
        #expect(table.instance(id: "i1")?.status == .passing)
    }

    @Test func `each change has its reason, and that of a policy an index among them`() {
        let now = TestClock().now
        var table = InstanceTable()
        table.journal.open()
        table.put(.test(1, ttl: 1, checks: web), lease: Lease(ttlSeconds: 1, now: now), because: .anotherNode)
        table.setHealth(InstanceHealth(web: .critical), of: "i1", because: .check("web"))
        table.journal.notePolicy(of: "orders", nil)
        _ = table.removeExpired(at: now.monotonic + .seconds(2), limit: 10)
        table.put(.test(2), lease: Lease(ttlSeconds: 1, now: now))
        table.remove(id: "i2", because: .loaded)
        let changes = table.journal.take()
        #expect(changes.map(\.reason) == [.anotherNode, .check("web"), .expired, .request, .loaded])
        #expect(changes.map(\.index) == [1, 2, 4, 5, 6])
        #expect(table.journal.takePolicies() == [PolicyChange(index: 3, name: "orders", policy: nil)])
        #expect(table.journal.takePolicies().isEmpty)
    }

    @Test func `a service knows its last change, also of what has left it`() {
        let lease = Lease(ttlSeconds: 0, now: TestClock().now)
        var table = InstanceTable()
        table.put(.test(1), lease: lease)
        table.put(.test(2), lease: lease)
        table.put(.test(3, name: "users"), lease: lease)
        #expect(table.changeIndex(ofService: "orders") == 2 && table.changeIndex(ofService: "users") == 3)
        table.put(.test(1), lease: lease)
        #expect(table.changeIndex(ofService: "orders") == 2)
        table.put(.test(1, name: "users", checks: web), lease: lease)
        #expect(table.changeIndex(ofService: "orders") == 4 && table.changeIndex(ofService: "users") == 4)
        table.setHealth(InstanceHealth(web: .warning), of: "i1")
        #expect(table.changeIndex(ofService: "orders") == 4 && table.changeIndex(ofService: "users") == 5)
        table.remove(id: "i1")
        #expect(table.changeIndex(ofService: "users") == 6)
        table.remove(id: "i2")
        // It is not there any more.
        #expect(table.changeIndex(ofService: "orders") == 7 && table.changeIndex(ofService: nil) == 7)
    }

    private func change(_ index: UInt64, _ old: ServiceInstance?, _ new: ServiceInstance?) -> InstanceChange {
        func registered(_ instance: ServiceInstance?) -> RegisteredInstance? {
            instance.map { RegisteredInstance(instance: $0, lease: lease) }
        }
        return InstanceChange(index: index, old: registered(old), new: registered(new))
    }

    @Test func `an instance that expires is noted`() {
        let clock = TestClock()
        var table = InstanceTable()
        table.put(.test(1), lease: Lease(ttlSeconds: 5, now: clock.now))
        table.journal.open()
        clock.advance(by: .seconds(6))
        _ = table.removeExpired(at: clock.now.monotonic, limit: 10)
        let changes = table.journal.take()
        #expect(changes.map(\.old?.instance) == [.test(1)] && changes[0].new == nil)
    }

    @Test func `a number that is in use already is noted as the one that the instance gets`() throws {
        var table = InstanceTable()
        table.journal.open()
        table.put(.test(1), lease: lease)
        var other = ServiceInstance.test(1)
        other.id = "other"
        table.put(other, lease: lease)
        let noted = try #require(table.journal.take().last?.new)
        #expect(noted == table.instance(id: "other"))
        #expect(noted.instance.sequence != 1)
    }

    @Test func `every field that DNS tells of is noted, and no other`() {
        let known = ServiceInstance.test(1, tags: ["v1"])
        func isNoted(_ edit: (inout ServiceInstance) -> Void) -> Bool {
            var changed = known
            edit(&changed)
            #expect(changed != known)
            return self.change(1, known, changed).isSeenInDNS
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
