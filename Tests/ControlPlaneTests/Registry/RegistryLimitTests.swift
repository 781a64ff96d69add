import Testing

@testable import ControlPlane

/// How much the registry may hold.
@Suite struct RegistryLimitTests {
    private let now = TestClock().now

    private func limits(
        instances: Int = 1000, names: Int = 1000, perName: Int = 1000
    ) -> Configuration.RegistryLimits {
        var limits = Configuration.RegistryLimits()
        limits.maximumInstances = instances
        limits.maximumNames = names
        limits.maximumPerName = perName
        return limits
    }

    /// The outcomes of a group of commands.
    private func outcomes(
        _ commands: [RegistryCommand], _ limits: Configuration.RegistryLimits, known: [ServiceInstance] = []
    ) -> [String] {
        let table = InstanceTable(known, now: now)
        var plan = CommitPlan(nextSequence: table.nextSequence, limits: limits)
        for command in commands { plan.add(command, now: now, table: table) }
        let lease = Lease(ttlSeconds: 1, now: now)
        let kept = plan.changes.map { _ in StoreResult.kept(RegisteredInstance(instance: .test(), lease: lease)) }
        return plan.outcomes(kept).map { outcome in
            switch outcome {
            case .success(.registered), .success(.patched), .success(.deregistered): "done"
            case .success(.refused(.instances)): "instances"
            case .success(.refused(.names)): "names"
            case .success(.refused(.perName)): "per name"
            case .success(.unknownInstance): "unknown"
            default: "failed"
            }
        }
    }

    @Test func `no more instances are registered than there may be, counted within the group`() {
        let commands: [RegistryCommand] = [
            .register(.test("a")), .register(.test("b", name: "users")), .register(.test("c")),
            .register(.test("a", weight: 1)), .deregister(id: "c"), .deregister(id: "a"), .register(.test("c")),
            .register(.test("d")),
        ]
        let known = [ServiceInstance.test(1)]
        let expected = ["done", "done", "instances", "done", "unknown", "done", "done", "instances"]
        #expect(outcomes(commands, limits(instances: 3), known: known) == expected)
    }

    @Test func `no service gets more instances than it may, by registration or by moving`() {
        let known = [ServiceInstance.test(1), .test(2), .test(3, name: "users")]
        let commands: [RegistryCommand] = [
            .register(.test("i3")), .register(.test("i1", ip: "10.0.0.9")), .register(.test("i2", name: "users")),
            .register(.test("i3")), .register(.test("new", name: "users")), .register(.test("more", name: "users")),
        ]
        let expected = ["per name", "done", "done", "done", "done", "per name"]
        #expect(outcomes(commands, limits(perName: 2), known: known) == expected)
    }

    @Test func `names in DNS are counted: a service, its protocols and tags`() {
        func count(_ instances: ServiceInstance...) -> Int { InstanceTable(instances, now: now).nameCount }
        let long = String(repeating: "a", count: 63)
        #expect(count() == 0)
        #expect(count(.test(1)) == 2)
        #expect(count(.test(1), .test(2)) == 2)
        #expect(count(.test(1), .test(2, transport: .udp)) == 3)
        #expect(count(.test(1, tags: ["v1", "v2"]), .test(2, tags: ["v2", "v3"])) == 5)
        #expect(count(.test(1, name: long), .test(2, name: long, transport: .udp, tags: ["v1"])) == 2)
    }

    @Test func `no name comes that would be one too many, by registration, tag or protocol`() {
        var patch = InstancePatch()
        patch.tags = ["v1", "v2"]
        var udp = Registration.test("u")
        udp.transport = .udp
        let commands: [RegistryCommand] = [
            .register(.test("a")), .patch(id: "a", patch), .register(.test("b", tags: ["v2"])),
            .register(.test("c", name: "users")), .register(udp), .patch(id: "a", InstancePatch(weight: 1)),
            .patch(id: "a", InstancePatch(tags: ["v2"])), .register(udp),
        ]
        let expected = ["done", "done", "done", "names", "names", "done", "done", "done"]
        #expect(outcomes(commands, limits(names: 4)) == expected)
    }

    @Test func `what is above a limit already stays and may change, but not grow`() {
        let known = [ServiceInstance.test(1), .test(2), .test(3, tags: ["v1", "v2", "v3"])]
        let commands: [RegistryCommand] = [
            .register(.test("i1", ip: "10.0.0.9")), .patch(id: "i3", InstancePatch(tags: ["v1", "v4"])),
            .patch(id: "i3", InstancePatch(tags: ["v1", "v4", "v5"])), .register(.test("new")),
        ]
        let expected = ["done", "done", "names", "instances"]
        #expect(outcomes(commands, limits(instances: 1, names: 1, perName: 1), known: known) == expected)
    }

    @Test func `what is counted is what DNS has, whatever comes and goes`() async throws {
        var generator = SplitMix64(seed: 5)
        let test = TestRegistry(limits: limits(instances: 40, names: 60, perName: 15))
        var refused: [RegistryLimit: Int] = [:]
        try await test.running {
            for _ in 0..<300 {
                let commands = (0..<Int.random(in: 1...8, using: &generator)).map { _ -> RegistryCommand in
                    let id = "i\(Int.random(in: 0..<60, using: &generator))"
                    let tags = (0..<5).filter { _ in Bool.random(using: &generator) }.map { "t\($0)" }
                    switch Int.random(in: 0..<8, using: &generator) {
                    case 0: return .deregister(id: id)
                    case 1: return .patch(id: id, InstancePatch(tags: tags))
                    default:
                        let name = "s\(Int.random(in: 0..<12, using: &generator))"
                        var registration = Registration.test(id, name: name, tags: tags)
                        registration.transport = Bool.random(using: &generator) ? .tcp : .udp
                        return .register(registration)
                    }
                }
                for case .refused(let limit) in try await test.registry.submit(commands) {
                    refused[limit, default: 0] += 1
                }
                let summary = test.registry.summary()
                let names = test.registry.store.view.withTable { $0.nameCount }
                #expect(names == test.zone.names.count)
                #expect(summary.counts.total <= 40 && names <= 60)
                #expect(test.registry.serviceSummaries(after: nil, limit: 99).allSatisfy { $0.counts.total <= 15 })
            }
        }
        #expect(refused.count >= 2 && refused.values.reduce(0, +) > 100)
    }

    @Test func `what is stored is loaded, whatever the limits are now`() async throws {
        let store = MemoryStore()
        _ = await store.commit((1...10).map { .register(.test($0)) }, time: TestClock().source)
        let test = TestRegistry(store: store, limits: limits(instances: 5))
        try await test.running {
            #expect(test.registry.summary().counts.total == 10)
            let outcome = try await test.registry.register(.test("new"))
            #expect(outcome == .refused(.instances(5)))
        }
    }
}
