import Engine
import Testing

@testable import ControlPlane

/// Policies of services decide how DNS answers, from the moment at which they are acknowledged.
@Suite struct PolicyTests {
    private let timers = TestTimers()

    private func makeRegistry() -> TestRegistry {
        TestRegistry(policy: RecordPolicy(onEmpty: .absent, emptyGrace: .seconds(30)), timers: timers)
    }

    private func ttl(_ test: TestRegistry, _ name: String = "orders") -> UInt32? {
        guard case .records(let sets) = test.zone.content(name) else { return nil }
        return sets.first?.ttl
    }

    @Test func `what a service without a healthy instance answers follows its policy at once`() async throws {
        let test = makeRegistry()
        let registry = test.registry
        try await test.running {
            for name in ["orders", "users"] { _ = try await registry.register(.test(name, name: name, tags: ["v1"])) }
            for id in ["orders", "users"] { _ = try await registry.patch(id: id, InstancePatch(isDraining: true)) }
            #expect(test.zone.content("orders") == .failure && test.zone.content("users") == .failure)
            test.clock.advance(by: .seconds(10))
            // The grace time is shortened, as if it had begun like that: five seconds ago it was over.
            let policy = ServicePolicy(onEmpty: .noData, emptyGrace: .seconds(5))
            #expect(try await registry.setPolicy(policy, of: "orders") == .policySet)
            for name in ["orders", "v1.orders", "_orders._tcp"] { #expect(test.zone.content(name) == .records([])) }
            #expect(test.zone.content("users") == .failure)
            _ = try await registry.setPolicy(ServicePolicy(onEmpty: .serverFailure, emptyGrace: .zero), of: "orders")
            #expect(test.zone.content("orders") == .failure)
            // A longer one for the other: it is not over when the server's would be.
            _ = try await registry.setPolicy(ServicePolicy(emptyGrace: .seconds(100)), of: "users")
            test.clock.advance(by: .seconds(60))
            timers.ring()
            _ = try await registry.deregister(id: "nobody")
            #expect(test.zone.content("users") == .failure)
            #expect(try await registry.setPolicy(nil, of: "users") == .policyRemoved)
            #expect(test.zone.content("users") == nil)
            #expect(try await registry.setPolicy(nil, of: "users") == .unknownPolicy)
        }
    }

    @Test func `without a grace time a service that leaves is gone at once`() async throws {
        let test = makeRegistry()
        try await test.running {
            // The service comes after its policy.
            _ = try await test.registry.setPolicy(ServicePolicy(emptyGrace: .zero), of: "orders")
            _ = try await test.registry.register(.test("a"))
            _ = try await test.registry.deregister(id: "a")
            #expect(test.zone.names.isEmpty)
            _ = try await test.registry.register(.test("a"))
            _ = try await test.registry.setPolicy(nil, of: "orders")
            _ = try await test.registry.deregister(id: "a")
            #expect(test.zone.content("orders") == .failure)
            // Gone for long enough by the policy: although no instance is left whose names are known.
            _ = try await test.registry.setPolicy(ServicePolicy(emptyGrace: .zero), of: "orders")
            #expect(test.zone.names.isEmpty)
        }
    }

    @Test(arguments: [3, 100]) func `ttl, priorities and strategy are those of the policy`(count: Int) async throws {
        let test = makeRegistry()
        let registry = test.registry
        try await test.running {
            for number in 0..<count {
                var registration = Registration.test("i\(number)", ip: "10.0.0.\(number)")
                registration.hasDefaultDNSTTL = number > 0
                registration.dnsTTL = number > 0 ? 5 : 50
                registration.priority = UInt16(number % 2)
                _ = try await registry.register(registration)
            }
            #expect(ttl(test) == 5 && test.zone.addresses("orders").count == (count + 1) / 2)
            #expect(test.zone.updates.last?.changes.allSatisfy { $0.strategy == nil } == true)
            let policy = ServicePolicy(strategy: .weighted, priorities: .all, dnsTTL: 70)
            _ = try await registry.setPolicy(policy, of: "orders")
            // The first has a ttl of its own.
            #expect(ttl(test) == 50 && test.zone.addresses("orders").count == count)
            #expect(test.zone.updates.contains { $0.changes.contains { $0.strategy == .weighted } })
            // Later changes follow it too.
            _ = try await registry.deregister(id: "i0")
            #expect(ttl(test) == 70)
            #expect(test.zone.updates.last?.changes.allSatisfy { $0.strategy == .weighted } == true)
            _ = try await registry.setPolicy(ServicePolicy(strategy: .random), of: "orders")
            #expect(ttl(test) == 5 && test.zone.addresses("orders").count == (count - 1) / 2)
            _ = try await registry.setPolicy(nil, of: "orders")
            #expect(test.zone.updates.last?.changes.allSatisfy { $0.strategy == nil } == true)
        }
    }

    @Test func `there are only so many`() async throws {
        var table = InstanceTable()
        for number in 0..<(ServicePolicy.maximumCount - 1) { table.setPolicy(ServicePolicy(), of: "s\(number)") }
        var plan = CommitPlan(nextSequence: 1)
        let now = TestClock().now
        for (name, policy) in [
            ("s1", ServicePolicy()), ("a", ServicePolicy()), ("b", ServicePolicy()), ("s2", nil),
            ("b", ServicePolicy()),
        ] {
            plan.add(.setPolicy(name: name, policy), now: now, table: table)
        }
        let outcomes = plan.outcomes(plan.changes.map { _ in .kept(nil) }).map { try? $0?.get() }
        #expect(
            outcomes == [
                .policySet, .policySet, .refused(.policies(ServicePolicy.maximumCount)), .policyRemoved, .policySet,
            ])
    }

    @Test func `a service is protected below its threshold, until as many are healthy again`() async throws {
        for count in [4, 60] {
            let test = makeRegistry()
            let registry = test.registry
            func setHealth(_ status: CheckStatus, _ numbers: Range<Int>) async throws {
                registry.store.view.withTable { table in
                    for number in numbers { table.setHealth(InstanceHealth(web: status), of: "i\(number)") }
                }
                _ = try await registry.deregister(id: "i0")
                _ = try await registry.register(.test("i0", ip: "10.0.0.0", checks: [.test("web")]))
            }
            try await test.running {
                _ = try await registry.setPolicy(ServicePolicy(protectThreshold: 0.5), of: "orders")
                for number in 0..<count {
                    _ = try await registry.register(
                        .test("i\(number)", ip: "10.0.0.\(number)", checks: [.test("web")]))
                }
                // Half of them are left: that is not below the threshold.
                try await setHealth(.critical, (count / 2)..<count)
                #expect(test.zone.addresses("orders").count == count / 2)
                try await setHealth(.critical, (count / 2 - 1)..<count)
                #expect(test.zone.addresses("orders").count == count)
                #expect(registry.brakes(ofService: "orders").map(\.kind) == [.protection])
                // A draining one is not answered.
                _ = try await registry.patch(id: "i\(count - 1)", InstancePatch(isDraining: true))
                #expect(test.zone.addresses("orders").count == count - 1)
                _ = try await registry.patch(id: "i\(count - 1)", InstancePatch(isDraining: false))
                try await setHealth(.critical, 1..<count)
                #expect(test.zone.addresses("orders").count == count)
                try await setHealth(.passing, 1..<(count / 2))
                #expect(test.zone.addresses("orders").count == count / 2)
                #expect(registry.brakes(ofService: "orders").isEmpty)
                // By another policy.
                _ = try await registry.setPolicy(ServicePolicy(protectThreshold: 1), of: "orders")
                #expect(test.zone.addresses("orders").count == count)
                _ = try await registry.setPolicy(nil, of: "orders")
                #expect(test.zone.addresses("orders").count == count / 2)
            }
        }
    }
}
