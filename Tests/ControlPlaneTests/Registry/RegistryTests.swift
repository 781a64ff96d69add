import Engine
import Synchronization
import Testing

@testable import ControlPlane

@Suite struct RegistryTests {
    @Test func `a registered instance is in DNS when the call returns`() async throws {
        let test = TestRegistry()
        try await test.running {
            guard case .registered(_, isNew: true) = try await test.registry.register(.test("a", tags: ["v1"])) else {
                Issue.record("not registered")
                return
            }
            #expect(test.zone.names == ["orders", "_orders._tcp", "v1.orders"])
            #expect(try await test.registry.deregister(id: "a") == .deregistered)
            #expect(test.zone.names.isEmpty)
            #expect(try await test.registry.deregister(id: "a") == .unknownInstance)
        }
    }

    @Test func `an expired instance leaves DNS and the registry`() async throws {
        let test = TestRegistry()
        try await test.running {
            _ = try await test.registry.register(.test("a", ttl: 10))
            _ = try await test.registry.register(.test("b", ip: "10.0.0.2", ttl: 20))
            test.clock.advance(by: .seconds(10))
            try await test.sweep()
            #expect(test.registry.instance(id: "a") == nil)
            #expect(test.zone.addresses("orders") == ["10.0.0.2"])
            #expect(test.registry.renew(id: "a") == nil)
        }
    }

    @Test func `a heartbeat or a registration keeps an instance`() async throws {
        let test = TestRegistry()
        try await test.running {
            _ = try await test.registry.register(.test("a", ttl: 10))
            _ = try await test.registry.register(.test("b", ttl: 10))
            test.clock.advance(by: .seconds(9))
            #expect(test.registry.renew(ids: ["a", "x", "a"]) == Registry.Renewals(renewed: 1, unknown: ["x"]))
            _ = try await test.registry.register(.test("b", ttl: 10))
            test.clock.advance(by: .seconds(9))
            try await test.sweep()
            #expect(test.registry.instance(id: "a") != nil)
            #expect(test.registry.instance(id: "b") != nil)
        }
    }

    @Test func `a change does not renew the ttl`() async throws {
        let test = TestRegistry()
        try await test.running {
            _ = try await test.registry.register(.test("a", ttl: 10))
            test.clock.advance(by: .seconds(9))
            _ = try await test.registry.patch(id: "a", InstancePatch(weight: 1))
            test.clock.advance(by: .seconds(1))
            try await test.sweep()
            #expect(test.registry.instance(id: "a") == nil)
        }
    }

    @Test func `a draining instance leaves DNS, stays registered and comes back`() async throws {
        let test = TestRegistry()
        try await test.running {
            _ = try await test.registry.register(.test("a"))
            _ = try await test.registry.patch(id: "a", InstancePatch(isDraining: true))
            #expect(test.zone.names.isEmpty)
            #expect(test.registry.instance(id: "a")?.status == .draining)
            _ = try await test.registry.register(.test("a"))
            #expect(test.zone.names.isEmpty)
            _ = try await test.registry.patch(id: "a", InstancePatch(isDraining: false))
            #expect(test.zone.addresses("orders") == ["10.0.0.1"])
        }
    }

    @Test func `changes that arrive together are published together`() async throws {
        let test = TestRegistry()
        let registry = test.registry
        let requests = (0..<100).map { number in
            Task { try await registry.register(.test("i\(number)")) }
        }
        while registry.queue.commandCount < 100 { await Task.yield() }
        let commands = (0..<50).map { RegistryCommand.register(.test("b\($0)", name: "batch")) }
        let batch = Task { try await registry.submit(commands) }
        while registry.queue.commandCount < 150 { await Task.yield() }
        try await test.running {
            for request in requests { _ = try await request.value }
            #expect(try await batch.value.count == 50)
        }
        #expect(registry.serviceSummaries(after: nil, limit: 9).map(\.counts.passing) == [50, 100])
        // The empty zone, then all of them.
        #expect(test.zone.updates.count == 2)
    }

    @Test func `a request that changes many names is carried out in parts, and others get their turn between them`()
        async throws
    {
        let test = TestRegistry()
        let registry = test.registry
        let tags = (0..<64).map { "t\($0)" }
        var commands = (0..<1100).map { RegistryCommand.register(.test("b\($0)", name: "batch\($0)", tags: tags)) }
        commands.append(.deregister(id: "b0"))
        let batch = Task { [commands] in try await registry.submit(commands) }
        while registry.queue.commandCount < 1101 { await Task.yield() }
        let one = Task { try await registry.register(.test("one", name: "one")) }
        while registry.queue.commandCount < 1102 { await Task.yield() }
        // The registry is stopped at once, but finishes what it has accepted.
        try await test.running {}
        guard case .registered(_, isNew: true) = try await one.value else {
            Issue.record("not registered")
            return
        }
        let outcomes = try await batch.value
        #expect(outcomes.count == 1101)
        for (number, outcome) in outcomes.dropLast().enumerated() {
            guard case .registered(let instance, isNew: true) = outcome, instance.instance.id == "b\(number)" else {
                Issue.record("\(number): \(outcome)")
                return
            }
        }
        #expect(outcomes.last == .deregistered)
        #expect(registry.summary().counts.total == 1100)
        // The empty zone, and the batch's 72,600 names in parts of at most 32,768 and one instance's.
        let updates = test.zone.updates.map { Set($0.changes.map(\.name)) }
        #expect(updates.count == 4)
        #expect(updates.allSatisfy { $0.count <= RegistryCommitter.namesAtOnce + 66 })
        #expect(updates.firstIndex { $0.contains("one") } == 2)
    }

    @Test func `as many as are due expire with one search`() async throws {
        let test = TestRegistry()
        try await test.running {
            _ = try await test.registry.submit((0..<10_000).map { .register(.test("i\($0)", ttl: 10)) })
            test.clock.advance(by: .seconds(10))
            try await test.sweep()
            // Other requests get their turn between its parts.
            for _ in 0..<5 { _ = try await test.registry.deregister(id: "nobody") }
            #expect(test.registry.summary().counts.total == 0)
        }
    }

    @Test func `changes beyond what may wait are refused at once, and those that wait are made`() async throws {
        let test = TestRegistry()
        let registry = test.registry
        let unknown = [RegistryCommand](repeating: .deregister(id: "nobody"), count: 4096)
        let waiting = (0..<16).map { _ in Task { try await registry.submit(unknown) } }
        while registry.queue.commandCount < CommitQueue.maximumCommands { await Task.yield() }
        #expect(CommitQueue.maximumCommands == 65_536)
        await #expect(throws: RegistryError.overloaded) { try await registry.deregister(id: "one") }
        try await test.running {
            for request in waiting { #expect(try await request.value.count == 4096) }
            // A single request may be larger than everything that may wait.
            let large = try await registry.submit(unknown + [RegistryCommand](repeating: unknown[0], count: 62_000))
            #expect(large.count == 66_096)
        }
    }

    @Test func `a stopped registry finishes what it took and takes no more`() async throws {
        let test = TestRegistry()
        try await test.running { _ = try await test.registry.register(.test("a")) }
        await #expect(throws: RegistryError.self) { try await test.registry.register(.test("b")) }
    }

    @Test func `a service that can't be published keeps no other out of DNS`() async throws {
        let test = TestRegistry()
        test.zone.reject("bad")
        try await test.running {
            _ = try await test.registry.submit([
                .register(.test("a", name: "bad")), .register(.test("b", name: "good")),
            ])
            #expect(test.zone.names.isSuperset(of: ["good", "_good._tcp"]))
        }
    }

    @Test func `what is stored is published when it is loaded`() async throws {
        let store = MemoryStore()
        let clock = TestClock()
        let changes = (1...2500).map { StoreChange.register(.test($0, name: "s\($0)", ip: "10.0.0.9")) }
        _ = await store.commit(changes, time: clock.source)
        let test = TestRegistry(store: store)
        try await test.registry.load()
        #expect(test.zone.names.count == 5000)
        #expect(test.zone.updates.count == 3)
        #expect(test.zone.addresses("s2500") == ["10.0.0.9"])
    }

    @Test func `a change that others were faster with is decided anew`() async throws {
        let contended = ContendedStore([
            .register(.test(7, name: "orders", ip: "10.0.0.7", weight: 7)), .deregister(id: "i1"),
        ])
        let test = TestRegistry(store: contended)
        _ = contended.view.apply([.register(.test(1))], now: test.clock.now)
        try await test.running {
            let outcomes = try await test.registry.submit([
                .patch(id: "i7", InstancePatch(priority: 3)), .deregister(id: "i1"), .deregister(id: "i8"),
                .register(.test("i7", ip: "10.0.0.9")),
            ])
            #expect(contended.conflictCount == 1)
            // It was unknown at the first attempt, which is final.
            #expect(outcomes[0] == .unknownInstance)
            // It is gone, whichever node was faster.
            #expect(outcomes[1] == .deregistered)
            #expect(outcomes[2] == .unknownInstance)
            guard case .registered(let registered, isNew: false) = outcomes[3] else {
                Issue.record("\(outcomes[3])")
                return
            }
            #expect(registered.instance.sequence == 7)
            #expect(test.zone.addresses("orders") == ["10.0.0.9"])
        }
    }

    @Test func `clients are told to come back when a store takes nothing`() async throws {
        let test = TestRegistry(store: FailingStore())
        try await test.running {
            await #expect(throws: RegistryError.storeUnavailable(StoreUnavailable(reason: "always"))) {
                try await test.registry.register(.test("a"))
            }
            #expect(test.registry.instance(id: "a") == nil)
            #expect(test.zone.names.isEmpty)
        }
    }
}

/// A store that keeps no changes.
private struct FailingStore: Store {
    let view = InstanceView()
    var type: String { "failing" }
    var state: StoreState { StoreState(problem: "always") }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {}

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        changes.map { _ in .unavailable(StoreUnavailable(reason: "always")) }
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        throw StoreUnavailable(reason: "always")
    }
}

/// A store in which other nodes are faster: it keeps a change at the second attempt, after theirs.
private final class ContendedStore: Store {
    private let memory = MemoryStore()
    private let others: Mutex<[StoreChange]>
    private let conflicts = Atomic(0)

    init(_ others: [StoreChange]) {
        self.others = Mutex(others)
    }

    var view: InstanceView { memory.view }
    var type: String { memory.type }
    var state: StoreState { memory.state }
    var conflictCount: Int { conflicts.load(ordering: .relaxed) }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {}

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        guard others.withLock({ $0.isEmpty }) else {
            conflicts.add(1, ordering: .relaxed)
            return changes.map { _ in .conflict }
        }
        return await memory.commit(changes, time: time)
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        ExpiredInstances(instances: [], isComplete: true)
    }

    func adoptOutsideChanges(now: Moment) {
        let changes = others.withLock { others in
            defer { others = [] }
            return others
        }
        _ = view.apply(changes, now: now)
    }
}
