import Testing

@testable import ControlPlane

/// The stores that the suite is run over.
enum StoreKind: CaseIterable, Sendable {
    case memory

    func make() -> any Store {
        switch self {
        case .memory: MemoryStore()
        }
    }
}

/// What every store does, each test run over all of them.
@Suite struct StoreTests {
    private let clock = TestClock()

    private func filled(_ kind: StoreKind, _ instances: [ServiceInstance]) async throws -> any Store {
        let store = kind.make()
        try await store.load(now: clock.now)
        _ = try await store.commit(instances.map { .register($0) }, time: clock.source)
        return store
    }

    @Test(arguments: StoreKind.allCases) func `what is registered can be got and listed`(kind: StoreKind) async throws {
        let store = try await filled(kind, [.test(1), .test(2, name: "users"), .test(3)])
        #expect(store.instance(id: "i2")?.instance == .test(2, name: "users"))
        #expect(store.instance(id: "x") == nil)
        #expect(store.instances(ofService: "orders") == [.test(1), .test(3)])
        let page = store.list(after: 1, limit: 1, filter: InstanceFilter())
        #expect(page.instances.map(\.instance.id) == ["i2"])
        #expect(!page.isLast)
    }

    @Test(arguments: StoreKind.allCases) func `a registration renews the lease, an update does not`(
        kind: StoreKind
    ) async throws {
        let store = try await filled(kind, [.test(1), .test(2)])
        let before = clock.now
        clock.advance(by: .seconds(5))
        let results = try await store.commit(
            [.register(.test(1, weight: 1)), .update(.test(2, weight: 2))],
            time: clock.source
        )
        #expect(results.map { $0?.lease.lastHeartbeat } == [clock.now.wall, before.wall])
        #expect(results.map { $0?.instance.weight } == [1, 2])
    }

    @Test(arguments: StoreKind.allCases) func `a group is kept in its order`(kind: StoreKind) async throws {
        let store = try await filled(kind, [.test(1)])
        let results = try await store.commit(
            [.deregister(id: "i1"), .register(.test(2)), .deregister(id: "i2"), .deregister(id: "i2")],
            time: clock.source
        )
        #expect(results.map { $0?.instance.id } == ["i1", "i2", "i2", nil])
        #expect(store.list(after: nil, limit: 10, filter: InstanceFilter()).instances.isEmpty)
    }

    @Test(arguments: StoreKind.allCases) func `a large group is kept whole`(kind: StoreKind) async throws {
        let store = try await filled(kind, (1...10_000).map { .test($0) })
        #expect(store.instances(ofService: "orders").count == 10_000)
        let page = store.list(after: nil, limit: 9000, filter: InstanceFilter(status: .passing))
        #expect(page.instances.count == 9000)
        let none = store.list(after: nil, limit: 10, filter: InstanceFilter(status: .draining))
        #expect(none.instances.isEmpty)
        #expect(none.isLast)
    }

    @Test(arguments: StoreKind.allCases) func `a heartbeat keeps an instance that would expire`(
        kind: StoreKind
    ) async throws {
        let store = try await filled(kind, [.test(1, ttl: 10), .test(2, ttl: 10)])
        clock.advance(by: .seconds(9))
        #expect(store.renew(id: "i1", now: clock.now)?.expiresAt == clock.now.wall.advanced(bySeconds: 10))
        #expect(store.renew(id: "x", now: clock.now) == nil)
        clock.advance(by: .seconds(1))
        let expired = try await store.removeExpired(now: clock.now, limit: 100)
        #expect(expired.instances.map(\.id) == ["i2"])
        #expect(store.instance(id: "i2") == nil)
        #expect(store.instance(id: "i1") != nil)
    }
}
