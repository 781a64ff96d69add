import Engine
import Testing

@testable import ControlPlane

@Suite struct CommitPlanTests {
    private let now = TestClock().now

    private func plan(_ commands: [RegistryCommand], known: [ServiceInstance] = []) -> CommitPlan {
        var plan = CommitPlan(nextSequence: 100)
        let table = InstanceTable(known, now: now)
        for command in commands { plan.add(command, now: now, table: table) }
        return plan
    }

    @Test func `a command sees those before it in its group`() {
        let plan = plan([
            .register(.test("a")), .register(.test("b")), .register(.test("a", weight: 1)),
            .deregister(id: "a"), .deregister(id: "a"), .register(.test("a")),
        ])
        let results: [StoreResult] = plan.changes.map { change in
            switch change {
            case .register(let instance, _), .update(let instance, _):
                .kept(RegisteredInstance(instance: instance, lease: Lease(ttlSeconds: 1, now: now)))
            case .deregister, .policy: .kept(nil)
            }
        }
        let kinds = plan.outcomes(results).map { outcome in
            switch outcome {
            case .success(.registered(let registered, let isNew)): "\(registered.instance.sequence) \(isNew)"
            case .success(.patched): "patched"
            case .success(.deregistered): "deregistered"
            case .success(.reported): "reported"
            case .success(.unknownInstance), .success(.unknownCheck): "unknown"
            case .success(.refused): "refused"
            case .success(.denied): "denied"
            case .success(.policySet), .success(.policyRemoved), .success(.unknownPolicy): "policy"
            case .failure(let error): error.reason
            case nil: "again"
            }
        }
        #expect(kinds == ["100 true", "101 true", "100 false", "deregistered", "unknown", "102 true"])
    }

    @Test func `each command has the outcome of its own change`() {
        let plan = plan([
            .register(.test("a")), .patch(id: "x", InstancePatch()), .register(.test("b")), .deregister(id: "b"),
        ])
        let full = StoreUnavailable(reason: "full")
        let outcomes = plan.outcomes([.unavailable(full), .conflict, .kept(nil)])
        #expect(outcomes == [.failure(full), .success(.unknownInstance), nil, .success(.deregistered)])
    }

    @Test func `what is decided on a change that is not kept is not decided`() {
        var known = ServiceInstance.test(7)
        known.id = "a"
        let plan = plan(
            [
                .deregister(id: "a"), .report(id: "a", CheckReport(name: "c", status: .passing, time: now.wall)),
                .patch(id: "a", InstancePatch()), .deregister(id: "a"), .release(id: "a"), .deregister(id: "b"),
                .setPolicy(name: "s", ServicePolicy()), .setPolicy(name: "s", nil), .setPolicy(name: "s", nil),
                .setPolicy(name: "t", nil),
            ], known: [known])
        #expect(plan.changes.count == 3)
        let full = StoreUnavailable(reason: "full")
        let unavailable = StoreResult.unavailable(full)
        let unknown = Result<CommandOutcome, StoreUnavailable>.success(.unknownInstance)
        let noPolicy = Result<CommandOutcome, StoreUnavailable>.success(.unknownPolicy)
        let failed = [Result<CommandOutcome, StoreUnavailable>?](repeating: .failure(full), count: 5)
        #expect(
            plan.outcomes([unavailable, unavailable, unavailable])
                == failed + [unknown] + failed.prefix(3) + [noPolicy])
        let again = [Result<CommandOutcome, StoreUnavailable>?](repeating: nil, count: 5)
        #expect(
            plan.outcomes([.conflict, .conflict, .conflict]) == again + [unknown] + again.prefix(3) + [noPolicy])
        #expect(
            plan.outcomes([.kept(nil), .kept(nil), .kept(nil)]) == [
                .success(.deregistered), unknown, unknown, unknown, unknown, unknown, .success(.policySet),
                .success(.policyRemoved), noPolicy, noPolicy,
            ])
    }

    @Test func `what is refused for a limit is so only if what fills it is kept`() {
        var limits = Configuration.RegistryLimits()
        limits.maximumInstances = 1
        var plan = CommitPlan(nextSequence: 1, limits: limits)
        for id in ["a", "b"] { plan.add(.register(.test(id)), now: now, table: InstanceTable([], now: now)) }
        let full = StoreUnavailable(reason: "full")
        #expect(plan.outcomes([.unavailable(full)]) == [.failure(full), .failure(full)])
        #expect(plan.outcomes([.conflict]) == [nil, nil])
        guard case .success(.refused)? = plan.outcomes([.kept(nil)]).last else {
            Issue.record("it was not refused")
            return
        }
    }

    @Test func `a result is stored when it changes a status, once in a group`() {
        var known = ServiceInstance.test(7)
        known.id = "a"
        known.checks = [.test("c"), .test("d")]
        func report(_ check: String, _ status: CheckStatus) -> RegistryCommand {
            .report(id: "a", CheckReport(name: check, status: status, time: now.wall))
        }
        let plan = plan(
            [
                report("c", .passing), report("c", .critical), report("d", .warning), report("c", .critical),
                report("e", .passing), .report(id: "x", CheckReport(name: "c", status: .passing, time: now.wall)),
            ], known: [known])
        let statuses = plan.changes.map { change -> [CheckStatus] in
            if case .update(let instance, _) = change { instance.results.map(\.status) } else { [] }
        }
        #expect(statuses == [[.critical], [.critical, .warning]])
        let kept = RegisteredInstance(known)
        let outcomes = plan.outcomes([.kept(kept), .kept(kept)])
        #expect(outcomes.prefix(4).allSatisfy { if case .success(.reported)? = $0 { true } else { false } })
        #expect(outcomes.suffix(2) == [.success(.unknownCheck), .success(.unknownInstance)])
    }

    @Test func `a registration that is repeated keeps the results of its checks`() {
        var known = ServiceInstance.test(7, ip: "10.0.0.1")
        known.id = "a"
        known.checks = [.test("c")]
        _ = known.adopt(CheckReport(name: "c", status: .critical, time: now.wall))
        var registration = Registration.test("a", ip: "10.0.0.1")
        registration.port = known.port
        registration.checks = known.checks
        guard case .register(let instance, _)? = plan([.register(registration)], known: [known]).changes.first else {
            Issue.record("not a registration")
            return
        }
        #expect(instance.results == known.results && instance.checkStatus == .critical)
    }

    @Test func `a replaced instance keeps its place, its first registration and its draining`() throws {
        var known = ServiceInstance.test(7, draining: true)
        known.id = "a"
        let plan = plan([.register(.test("a", weight: 9))], known: [known])
        guard case .register(let instance, _) = try #require(plan.changes.first) else {
            Issue.record("not a registration")
            return
        }
        #expect(instance.sequence == 7)
        #expect(instance.isDraining)
        #expect(instance.registeredAt == known.registeredAt)
        #expect(instance.weight == 9)
    }

    @Test func `who is gone at the second attempt at its deregistration is told to the store all the same`() {
        for isRepeated in [false, true] {
            var plan = CommitPlan(nextSequence: 1, isRepeated: isRepeated)
            plan.add(.deregister(id: "i1"), now: TestClock().now, table: InstanceTable())
            #expect(plan.changes == (isRepeated ? [.deregister(id: "i1")] : []))
            let outcomes = plan.outcomes(isRepeated ? [.kept(nil)] : [])
            #expect(outcomes == [.success(isRepeated ? .deregistered : .unknownInstance)])
        }
    }
}
