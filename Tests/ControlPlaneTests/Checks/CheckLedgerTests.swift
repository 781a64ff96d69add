import Engine
import Testing

@testable import ControlPlane

/// What the checker is told when instances and nodes come and go.
@Suite struct CheckLedgerTests {
    private let time = WallTime(millisecondsSince1970: 1000)

    private func instance(_ number: UInt64, _ checks: [Check] = [.test("c")], ip: String = "10.0.0.1")
        -> ServiceInstance
    {
        var instance = ServiceInstance.test(number, ip: ip)
        instance.checks = checks
        return instance
    }

    private func change(_ old: ServiceInstance?, _ new: ServiceInstance?) -> InstanceChange {
        InstanceChange(index: 1, old: old.map { RegisteredInstance($0) }, new: new.map { RegisteredInstance($0) })
    }

    private func reported(_ instance: ServiceInstance, _ status: CheckStatus, at time: WallTime) -> ServiceInstance {
        var instance = instance
        _ = instance.adopt(CheckReport(name: "c", status: status, output: "x", time: time))
        return instance
    }

    @Test func `instances with checks are adopted, and given up with them`() {
        var ledger = CheckLedger()
        #expect(ledger.begin(with: [RegisteredInstance(instance(1))]).adopted.map(\.id) == ["i1"])
        #expect(ledger.note([change(nil, instance(2, []))]) == CheckLedger.Orders())
        #expect(ledger.note([change(instance(2, []), instance(2))]).adopted.map(\.id) == ["i2"])
        // Another definition, another place.
        #expect(ledger.note([change(instance(2), instance(2, [.test("c", fall: 9)]))]).adopted.map(\.id) == ["i2"])
        let moved = ledger.note([change(instance(1), instance(1, ip: "10.0.0.2"))])
        #expect(moved.adopted.map(\.address) == [IPAddress("10.0.0.2")] && moved.removed.isEmpty)
        #expect(ledger.note([change(instance(2), instance(2, []))]).removed == ["i2"])
        #expect(ledger.note([change(instance(1), nil)]).removed == ["i1"])
        #expect(ledger.counts == (0, 0))
    }

    @Test func `a stored status is where a check goes on`() {
        var ledger = CheckLedger()
        let adopted = ledger.begin(with: [RegisteredInstance(reported(instance(1), .critical, at: time))]).adopted
        #expect(adopted.first?.statuses["c"]?.status == .critical && adopted.first?.statuses["c"]?.since == time)
    }

    @Test func `a status that could not be stored yet comes before the stored one, also when the node has it again`() {
        var known = RegisteredInstance(reported(instance(1), .passing, at: time))
        let later = time.advanced(bySeconds: 1)
        known.health.unstored = [CheckRecord(name: "c", status: .critical, since: later)]
        var ledger = CheckLedger()
        var adopted = ledger.begin(with: [known]).adopted
        #expect(adopted.map { $0.statuses["c"]?.status } == [.critical])
        #expect(adopted.map { $0.statuses["c"]?.since } == [later])
        let other = (0...).lazy.map { "n\($0)" }.first { !CheckerNodes(own: "a", others: [$0]).isOwner(of: "i1") }
        _ = ledger.share(among: CheckerNodes(own: "a", others: [other ?? ""]))
        #expect(!ledger.isOwn("i1"))
        adopted = ledger.share(among: nil).adopted
        #expect(adopted.map { $0.statuses["c"]?.status } == [.critical])
    }

    @Test func `the checker hears of results that came another way, and of none of its own`() {
        var ledger = CheckLedger()
        _ = ledger.begin(with: [RegisteredInstance(instance(1))])
        let own = reported(instance(1), .critical, at: time)
        let isPassedOn = ledger.passOn(CheckReport(name: "c", status: .critical, time: time), of: "i1", assignment: 1)
        #expect(isPassedOn)
        #expect(ledger.note([change(instance(1), own)]) == CheckLedger.Orders())
        let others = reported(own, .passing, at: time.advanced(bySeconds: 1))
        let orders = ledger.note([change(own, others)])
        #expect(orders.reports == [CheckLedger.Report(id: "i1", check: "c", status: .passing, output: "x")])
        // Draining or a weight is nothing to a checker.
        var drained = others
        drained.isDraining = true
        #expect(ledger.note([change(others, drained)]) == CheckLedger.Orders())
        let removal = CheckRemoval(id: "i1", check: "c", reason: "", assignment: 1)
        #expect(ledger.expulsion(for: removal) == Expulsion(instance: RegisteredInstance(drained), check: "c"))
    }

    @Test func `a result of a check that was replaced is not passed on, or is news if it had been passed on before`() {
        var ledger = CheckLedger()
        let begun = ledger.begin(with: [RegisteredInstance(instance(1))])
        #expect(begun.adopted.map(\.number) == [1])
        let late = CheckReport(name: "c", status: .critical, time: time)
        let isPassedOn = ledger.passOn(late, of: "i1", assignment: 1)
        #expect(isPassedOn)
        // Registered again at another address before the registry has that.
        let moved = instance(1, ip: "10.0.0.2")
        let anew = ledger.note([change(instance(1), moved)])
        #expect(anew.adopted.map(\.number) == [2])
        let isPassedOnAgain = ledger.passOn(late, of: "i1", assignment: 1)
        #expect(!isPassedOnAgain)
        #expect(ledger.isPresent(2, of: "i1") && !ledger.isPresent(1, of: "i1") && !ledger.isPresent(0, of: "i2"))
        let removal = CheckRemoval(id: "i1", check: "c", reason: "", assignment: 1)
        #expect(ledger.expulsion(for: removal) == nil)
        let orders = ledger.note([change(moved, reported(moved, .critical, at: time))])
        #expect(orders.reports == [CheckLedger.Report(id: "i1", check: "c", status: .critical, output: "x")])
    }

    @Test func `checks of another registration with the same id begin anew, though the end of the former was not seen`()
    {
        var ledger = CheckLedger()
        let former = reported(instance(1), .critical, at: time)
        _ = ledger.begin(with: [RegisteredInstance(former)])
        var anew = instance(1)
        anew.registeredAt = former.registeredAt.advanced(bySeconds: 9)
        let orders = ledger.note([change(former, anew)])
        #expect(orders.removed == ["i1"] && orders.adopted.map(\.id) == ["i1"])
        #expect(orders.adopted.first?.statuses.isEmpty == true && orders.reports.isEmpty)
        // Written again by a node that has not heard of the result.
        _ = ledger.note([change(anew, reported(anew, .critical, at: time))])
        let lost = ledger.note([change(reported(anew, .critical, at: time), anew)])
        #expect(lost.removed == ["i1"] && lost.adopted.first?.statuses.isEmpty == true)
        // Another node checks it.
        _ = ledger.share(among: CheckerNodes(own: "n1", others: ["n2"]))
        let others = (2...40).map { instance($0) }.first { ledger.isOwn($0.id) == false }
        if let others {
            var new = others
            new.registeredAt = time.advanced(bySeconds: 1)
            #expect(ledger.note([change(others, new)]) == CheckLedger.Orders())
        }
    }

    @Test func `an instance that comes and goes at once is not checked any more`() {
        var ledger = CheckLedger()
        #expect(ledger.note([change(nil, instance(1)), change(instance(1), nil)]).adopted.isEmpty)
        let orders = ledger.note([change(nil, instance(2)), change(instance(2), nil), change(nil, instance(2))])
        #expect(orders.adopted.last?.id == "i2" && ledger.counts == (1, 1))
    }

    @Test func `each node checks its own instances, and takes over those of a node that is gone`() {
        let all = (1...200).map { instance($0) }
        let begun = all.map { RegisteredInstance($0) }
        var ledgers = ["n1", "n2"].map { _ in CheckLedger() }
        for index in ledgers.indices { #expect(ledgers[index].begin(with: begun).adopted.count == 200) }
        for (index, own) in ["n1", "n2"].enumerated() {
            let orders = ledgers[index].share(among: CheckerNodes(own: own, others: ["n1", "n2"]))
            #expect(orders.removed.count + ledgers[index].counts.here == 200 && orders.adopted.isEmpty)
        }
        #expect(ledgers[0].counts.here + ledgers[1].counts.here == 200 && ledgers[0].counts.here > 50)
        let moved = reported(all[0], .warning, at: time)
        for index in ledgers.indices { _ = ledgers[index].note([change(all[0], moved)]) }
        let left = ledgers[0].share(among: CheckerNodes(own: "n1", others: []))
        #expect(left.adopted.count == ledgers[1].counts.here && left.removed.isEmpty)
        #expect(ledgers[0].share(among: CheckerNodes(own: "n1", others: [])) == CheckLedger.Orders())
        // A result that is another node's is passed on to nobody while that one checks.
        let reports = ledgers.indices.reduce(0) { count, index in
            var ledger = ledgers[index]
            _ = ledger.share(among: CheckerNodes(own: ["n1", "n2"][index], others: ["n1", "n2"]))
            let again = reported(moved, .critical, at: time.advanced(bySeconds: 5))
            return count + ledger.note([change(moved, again)]).reports.count
        }
        #expect(reports == 1)
    }
}
