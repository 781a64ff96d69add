import Testing

@testable import ControlPlane

/// Who may change what, decided where the change is made.
@Suite struct RightsTests {
    private let now = TestClock().now

    private func writer(_ patterns: String...) -> Requester {
        let services = patterns.compactMap { NamePattern($0) }
        return Requester(token: Token(name: "w", credential: .subject("w"), role: .write, services: services))
    }

    private let admin = Requester(token: Token(name: "a", credential: .subject("a"), role: .admin))

    private func known(_ id: String, _ name: String, weight: UInt16 = 100) -> ServiceInstance {
        var instance = ServiceInstance.test(1)
        instance.id = id
        instance.name = name
        instance.weight = weight
        instance.checks = [.test("c")]
        return instance
    }

    private func named(_ id: String, _ name: String, weight: UInt16 = 100, priority: UInt16 = 0) -> RegistryCommand {
        var registration = Registration.test(id, name: name)
        registration.weight = weight
        registration.priority = priority
        return .register(registration)
    }

    /// The outcomes of commands, of which all changes are kept.
    private func outcomes(
        _ commands: [(RegistryCommand, Requester?)], known: [ServiceInstance] = [],
        policies: [String: ServicePolicy] = [:]
    ) -> [String] {
        var table = InstanceTable(known, now: now)
        for (name, policy) in policies { table.setPolicy(policy, of: name) }
        var plan = CommitPlan(nextSequence: 100)
        for (command, requester) in commands { plan.add(command, by: requester, now: now, table: table) }
        let results = plan.changes.map { _ in StoreResult.kept(RegisteredInstance.test(1)) }
        return plan.outcomes(results).map { outcome in
            switch outcome {
            case .success(.denied(.service(let name))): "no \(name)"
            case .success(.denied(.policyBounds)): "no bounds"
            case .success(.unknownInstance): "unknown"
            case .success(.refused(let limit)): "refused " + limit.errors.map(\.field).joined(separator: " ")
            case .success: "kept"
            default: "other"
            }
        }
    }

    @Test func `a registration needs the right to the old name and to the new one`() {
        let found = [known("pay-1", "payments")]
        let orders = writer("orders*")
        #expect(outcomes([(named("new", "orders"), orders)], known: found) == ["kept"])
        #expect(outcomes([(named("new", "payments"), orders)], known: found) == ["no payments"])
        #expect(outcomes([(named("pay-1", "orders"), orders)], known: found) == ["no payments"])
        #expect(outcomes([(named("pay-1", "orders"), writer("payments"))], known: found) == ["no orders"])
        #expect(outcomes([(named("pay-1", "orders"), writer("payments", "orders"))], known: found) == ["kept"])
        #expect(
            outcomes([(named("pay-1", "orders"), admin), (named("pay-1", "payments"), nil)], known: found) == [
                "kept", "kept",
            ])
    }

    @Test func `every other change needs the right to the name that the instance has`() {
        let report = CheckReport(name: "c", status: .critical, time: now.wall)
        let commands: [RegistryCommand] = [
            .patch(id: "pay-1", InstancePatch(isDraining: true)), .report(id: "pay-1", report),
            .deregister(id: "pay-1"),
        ]
        let found = [known("pay-1", "payments")]
        for command in commands {
            #expect(outcomes([(command, writer("orders*"))], known: found) == ["no payments"], "\(command)")
            #expect(outcomes([(command, writer("pay*"))], known: found) == ["kept"], "\(command)")
        }
        var held = known("pay-1", "payments")
        held.isHeld = true
        #expect(outcomes([(.release(id: "pay-1"), writer("orders"))], known: [held]) == ["no payments"])
        #expect(outcomes([(.deregister(id: "x"), writer("orders"))]) == ["unknown"])
        #expect(outcomes([(.setPolicy(name: "payments", ServicePolicy()), writer("orders"))]) == ["no payments"])
    }

    @Test func `the name that counts is the one that an instance has within the group`() {
        let found = [known("x", "orders")]
        let all = outcomes(
            [
                (named("x", "payments"), admin), (.patch(id: "x", InstancePatch(weight: 1)), writer("orders")),
                (.deregister(id: "x"), writer("orders")), (.deregister(id: "x"), writer("payments")),
                (named("x", "orders"), writer("orders")),
            ], known: found)
        #expect(all == ["kept", "no payments", "no payments", "kept", "kept"])
    }

    @Test func `what another node has changed meanwhile counts at the next attempt`() {
        // At the first attempt it was an instance of orders; then the storage has told that it has moved.
        let table = InstanceTable([known("x", "payments")], now: now)
        for command in [named("x", "orders"), .deregister(id: "x"), .patch(id: "x", InstancePatch(weight: 1))] {
            var plan = CommitPlan(nextSequence: 100, isRepeated: true)
            plan.add(command, by: writer("orders"), now: now, table: table)
            #expect(plan.changes.isEmpty)
            #expect(plan.outcomes([]) == [.success(.denied(.service("payments")))])
        }
    }

    @Test func `bounds hold for registrations and for changed values, by whomever`() {
        let policies = ["orders": ServicePolicy(bounds: PolicyBounds(maximumWeight: 50, minimumPriority: 10))]
        #expect(
            outcomes(
                [
                    (named("a", "orders", weight: 51, priority: 9), admin),
                    (named("b", "orders", weight: 50, priority: 10), nil),
                    (named("c", "orders", weight: 50, priority: 9), nil), (named("d", "users", weight: 51), nil),
                ], policies: policies) == ["refused weight priority", "kept", "refused priority", "kept"])
        // One that is there stays, and what is changed in it is looked at alone.
        let found = [known("x", "orders", weight: 60000)]
        #expect(
            outcomes([(.patch(id: "x", InstancePatch(isDraining: true)), nil)], known: found, policies: policies) == [
                "kept"
            ])
        #expect(
            outcomes([(.patch(id: "x", InstancePatch(weight: 51)), nil)], known: found, policies: policies) == [
                "refused weight"
            ])
        #expect(
            outcomes([(.patch(id: "x", InstancePatch(weight: 50)), nil)], known: found, policies: policies) == ["kept"])
        #expect(
            outcomes([(.patch(id: "x", InstancePatch(priority: 9)), nil)], known: found, policies: policies) == [
                "refused priority"
            ])
    }

    @Test func `a policy of the same group holds for what comes after it`() {
        let bounds = ServicePolicy(bounds: PolicyBounds(maximumWeight: 10))
        let all = outcomes([
            (named("a", "orders", weight: 11), nil), (.setPolicy(name: "orders", bounds), nil),
            (named("b", "orders", weight: 11), nil), (.setPolicy(name: "orders", nil), nil),
            (named("c", "orders", weight: 11), nil),
        ])
        #expect(all == ["kept", "kept", "refused weight", "kept", "kept"])
    }

    @Test func `only an admin sets bounds, changes them and lifts them`() {
        let bounds = PolicyBounds(maximumWeight: 10, minimumPriority: 1)
        let policies = ["orders": ServicePolicy(bounds: bounds)]
        let orders = writer("orders")
        func set(_ policy: ServicePolicy?) -> RegistryCommand { .setPolicy(name: "orders", policy) }
        #expect(outcomes([(set(ServicePolicy(dnsTTL: 9, bounds: bounds)), orders)], policies: policies) == ["kept"])
        for lifted in [
            ServicePolicy(dnsTTL: 9), nil, ServicePolicy(bounds: PolicyBounds(maximumWeight: 11, minimumPriority: 1)),
            ServicePolicy(bounds: PolicyBounds(maximumWeight: 10)),
        ] {
            #expect(outcomes([(set(lifted), orders)], policies: policies) == ["no bounds"])
            #expect(outcomes([(set(lifted), admin)], policies: policies) == ["kept"])
        }
        #expect(outcomes([(set(ServicePolicy(bounds: bounds)), orders)]) == ["no bounds"])
        #expect(outcomes([(set(ServicePolicy(dnsTTL: 9)), orders), (set(nil), orders)]) == ["kept", "kept"])
    }

    @Test func `a heartbeat needs the right to the name that the instance has`() {
        let view = InstanceView()
        view.withTable { table in
            for (id, name) in [("a", "orders"), ("b", "payments")] {
                var instance = known(id, name)
                instance.sequence = id == "a" ? 1 : 2
                table.put(instance, lease: Lease(ttlSeconds: 30, now: now))
            }
        }
        let later = now.advanced(by: .seconds(5))
        let before = view.withTable { $0.instance(id: "b")?.lease }
        #expect(view.renew(id: "b", now: later, by: writer("orders")) == .denied(.service("payments")))
        #expect(view.withTable { $0.instance(id: "b")?.lease } == before)
        #expect(view.renew(id: "x", now: later, by: writer("orders")) == .unknown)
        for requester in [writer("orders"), admin, Requester(), nil] {
            guard case .renewed = view.renew(id: "a", now: later, by: requester) else {
                Issue.record("not renewed by \(String(describing: requester))")
                continue
            }
        }
    }
}
