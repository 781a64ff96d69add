import Testing

@testable import ControlPlane

extension StorageTests {
    /// A process that was paused has not heard its clients' heartbeats, so no instance expires because of the pause.
    @Suite struct PauseTests {
        private let clock = TestClock()

        @Test func `a search that comes in time, or a little late, tells of no pause`() {
            var schedule = SweepSchedule(period: .seconds(1), now: clock.now)
            for time in [1000, 1, 1499, 1000] {
                clock.advance(by: .milliseconds(time))
                #expect(schedule.sweep(now: clock.now) == Sweep(now: clock.now))
            }
        }

        @Test func `a search that comes late tells by how much, and the next one does not`() {
            var schedule = SweepSchedule(period: .seconds(1), now: clock.now)
            clock.advance(by: .milliseconds(1500))
            #expect(schedule.sweep(now: clock.now).pause == .milliseconds(500))
            clock.advance(by: .seconds(7))
            #expect(schedule.sweep(now: clock.now) == Sweep(now: clock.now, pause: .seconds(6)))
            clock.advance(by: .seconds(1))
            #expect(schedule.sweep(now: clock.now).pause == .zero)
        }

        @Test func `searches that wait become one, as of the last, and no pause is forgotten`() async {
            let queue = CommitQueue()
            let first = Sweep(now: clock.now, pause: .seconds(3))
            clock.advance(by: .seconds(1))
            let second = Sweep(now: clock.now)
            for order in [[first, second], [second, first]] {
                for sweep in order { queue.requestSweep(sweep) }
                #expect(await queue.next()?.sweep == Sweep(now: second.now, pause: .seconds(3)))
            }
        }

        @Test func `a start that takes long costs nobody his ttl`() async throws {
            let store = SlowStore(clock)
            let test = TestRegistry(store: store, clock: clock)
            try await test.running {
                try await test.sweep()
                #expect(test.registry.instance(id: "i1")?.lease.expiresAt == clock.now.wall.advanced(bySeconds: 5))
                clock.advance(by: .milliseconds(4999))
                try await test.sweep()
                #expect(test.registry.instance(id: "i1") != nil)
                clock.advance(by: .milliseconds(1))
                try await test.sweep()
                #expect(test.registry.instance(id: "i1") == nil)
            }
        }

        @Test(arguments: StoreKind.allCases.filter(\.expiresByItself))
        func `after a pause everybody who was alive has a whole ttl again, and who is dead expires then`(
            kind: StoreKind
        ) async throws {
            let fixture = try StoreFixture(kind)
            let store = try await fixture.open(clock.source)
            // More than one slice.
            let changes = (1...600).map { StoreChange.register(.test($0, ttl: 3)) }
            _ = await store.keeps(changes + [.register(.test(1000, ttl: 0))], clock.source)
            let heard = clock.now.wall
            clock.advance(by: .seconds(8))
            let paused = Sweep(now: clock.now, pause: .seconds(6))
            let early = try await store.removeExpired(paused, limit: 2000)
            #expect(early == ExpiredInstances(instances: [], isComplete: true))
            let lease = try #require(store.instance(id: "i600")?.lease)
            #expect(lease.lastHeartbeat == heard)
            #expect(lease.expiresAt == clock.now.wall.advanced(bySeconds: 3))
            #expect(store.instance(id: "i1000")?.lease.expiresAt == nil)

            clock.advance(by: .milliseconds(2999))
            #expect(store.renew(id: "i1", now: clock.now) != nil)
            #expect(try await store.removeExpired(Sweep(now: clock.now), limit: 2000).instances.isEmpty)
            clock.advance(by: .milliseconds(1))
            let expired = try await store.removeExpired(Sweep(now: clock.now), limit: 2000)
            #expect(expired.instances.count == 599)
            #expect(store.instance(id: "i1") != nil)
            await store.close()
        }

        @Test func `who is not heard of between two pauses gets no more than the second one was long`() {
            let view = InstanceView()
            _ = view.apply([.register(.test(1, ttl: 10)), .register(.test(2, ttl: 10))], now: clock.now)
            for _ in 0..<20 {
                clock.advance(by: .seconds(4))
                #expect(view.withTable { $0.renew(id: "i2", now: clock.now) } != nil)
                clock.advance(by: .seconds(1))
                _ = view.removeExpired(Sweep(now: clock.now, pause: .seconds(1)), limit: 10)
            }
            // One whole ttl, then 10 seconds without a pause: after 12.5 rounds of 5 seconds at most.
            #expect(view.withTable { $0.instance(id: "i1") } == nil)
            #expect(view.withTable { $0.instance(id: "i2") } != nil)
        }

        @Test func `a pause shortens no lease`() {
            let view = InstanceView()
            _ = view.apply([.register(.test(1, ttl: 100))], now: clock.now)
            let before = view.withTable { $0.instance(id: "i1") }
            _ = view.removeExpired(Sweep(now: clock.now, pause: .seconds(1)), limit: 10)
            #expect(view.withTable { $0.instance(id: "i1") } == before)
        }

        @Test func `a registry finds out by itself that it was paused`() async throws {
            let test = TestRegistry()
            try await test.running {
                _ = try await test.registry.register(.test("a", ttl: 3))
                // Its searches are half an hour apart.
                test.clock.advance(by: .seconds(1806))
                try await test.sweep()
                #expect(test.registry.instance(id: "a") != nil)
                test.clock.advance(by: .seconds(3))
                try await test.sweep()
                #expect(test.registry.instance(id: "a") == nil)
            }
        }

        @Test func `an instance whose deadline came after the search was due stays`() async throws {
            let test = TestRegistry()
            try await test.running {
                _ = try await test.registry.register(.test("a", ttl: 3))
                let due = Sweep(now: test.clock.now)
                test.clock.advance(by: .seconds(100))
                test.registry.queue.requestSweep(due)
                _ = try await test.registry.deregister(id: "nobody")
                #expect(test.registry.instance(id: "a") != nil)
            }
        }
    }
}

/// A store with many instances: the first is loaded 20 s before the last.
private final class SlowStore: Store {
    private let memory = MemoryStore()
    private let clock: TestClock

    init(_ clock: TestClock) { self.clock = clock }

    var view: InstanceView { memory.view }
    var type: String { "slow" }
    var state: StoreState { StoreState() }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {
        _ = await memory.commit([.register(.test(1, ttl: 5))], time: time)
        clock.advance(by: .seconds(20))
    }

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        await memory.commit(changes, time: time)
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        try await memory.removeExpired(sweep, limit: limit)
    }
}
