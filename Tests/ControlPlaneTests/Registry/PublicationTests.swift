import Engine
import Logging
import Synchronization
import Testing

@testable import ControlPlane

@Suite struct PublicationTests {
    private final class Order: Sendable {
        private let all = Mutex<[UInt64]>([])
        var indexes: [UInt64] { all.withLock { $0 } }

        func append(_ index: UInt64) { all.withLock { $0.append(index) } }
    }

    @Test func `who waits for a change goes on when it is published, or when nothing is published any more`() async {
        let publication = Publication()
        await publication.reach(0)
        let order = Order()
        await withTaskGroup { group in
            for index in [1, 2, 3, 9] as [UInt64] {
                group.addTask {
                    await publication.reach(index)
                    order.append(index)
                }
            }
            publication.advance(to: 2)
            while order.indexes.count < 2 { await Task.yield() }
            #expect(Set(order.indexes) == [1, 2])
            publication.advance(to: 1)
            #expect(publication.index == 2)
            publication.advance(to: 3)
            while order.indexes.count < 3 { await Task.yield() }
            publication.end()
        }
        #expect(order.indexes.suffix(2) == [3, 9])
        await publication.reach(100)
    }

    /// Publishes nothing until it is told to.
    private final class HeldZone: ZoneSink {
        let isHeld = Atomic(false)

        func publish(_ update: ZoneUpdate) throws(EngineError) -> UInt64 {
            while isHeld.load(ordering: .acquiring) {}
            return 1
        }
    }

    @Test func `what DNS does not have yet is not read, but what has not changed is`() async throws {
        let zone = HeldZone()
        let clock = TestClock()
        let registry = Registry(
            store: MemoryStore(), publisher: ZonePublisher(sink: zone, policy: RecordPolicy()), limits: .init(),
            cleanupInterval: .seconds(3600), time: clock.source,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await registry.load()
        async let running: Void = registry.run()
        _ = try await registry.register(.test("a"))
        zone.isHeld.store(true, ordering: .releasing)
        async let second = registry.register(.test("b", name: "users", ip: "10.0.0.2"))
        while registry.instance(id: "b") == nil { await Task.yield() }
        // DNS has this one as it is.
        let known = await registry.publishedInstance(id: "a")
        #expect(known.value != nil && known.index == 1)
        #expect(await registry.part(after: nil, limit: 9, filter: InstanceFilter(name: "orders")).index == 1)
        let order = Order()
        await withTaskGroup { group in
            group.addTask {
                let new = await registry.publishedInstance(id: "b")
                order.append(new.index)
                #expect(new.value != nil && new.index == 1)
            }
            for _ in 0..<1000 { await Task.yield() }
            #expect(order.indexes.isEmpty && registry.publication.index == 1)
            zone.isHeld.store(false, ordering: .releasing)
        }
        _ = try await second
        #expect(await registry.publishedInstance(id: "b").index == 2)
        registry.stop()
        await running
    }
}
