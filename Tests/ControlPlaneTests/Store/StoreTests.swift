import Testing

@testable import ControlPlane

extension StorageTests {
    /// What every store does; each test runs over all of them.
    @Suite struct StoreTests {
        private let clock = TestClock()

        private func filled(_ fixture: StoreFixture, _ instances: [ServiceInstance]) async throws -> any Store {
            let store = try await fixture.open(clock.source)
            #expect(await store.keeps(instances.map { .register($0) }, clock.source).count == instances.count)
            return store
        }

        @Test(arguments: StoreKind.allCases)
        func `what is registered can be got and listed`(kind: StoreKind) async throws {
            let fixture = try StoreFixture(kind)
            let store = try await filled(fixture, [.test(1), .test(2, name: "users"), .test(3)])
            #expect(store.instance(id: "i2")?.instance == .test(2, name: "users"))
            #expect(store.instance(id: "x") == nil)
            #expect(store.instances(ofService: "orders").map(\.instance) == [.test(1), .test(3)])
            let page = store.list(after: 1, limit: 1, filter: InstanceFilter())
            #expect(page.instances.map(\.instance.id) == ["i2"])
            #expect(!page.isLast)
        }

        @Test(arguments: StoreKind.allCases) func `a registration renews the lease, an update does not`(
            kind: StoreKind
        ) async throws {
            let fixture = try StoreFixture(kind)
            let store = try await filled(fixture, [.test(1), .test(2)])
            let before = clock.now
            clock.advance(by: .seconds(5))
            let results = await store.keeps(
                [.register(.test(1, weight: 1)), .update(.test(2, weight: 2))],
                clock.source
            )
            #expect(results.map { $0?.lease.lastHeartbeat } == [clock.now.wall, before.wall])
            #expect(results.map { $0?.instance.weight } == [1, 2])
        }

        @Test func `an update of an instance that has left meanwhile brings it back`() {
            let view = InstanceView()
            let results = view.apply([.update(.test(1, weight: 7))], now: clock.now)
            #expect(results.first??.instance == .test(1, weight: 7))
            // No heartbeat has arrived here.
            #expect(results.first??.lease.deadline == nil)
            let found = view.withTable { $0.instances(ofService: "orders", after: nil, limit: 9) }
            #expect(found.map(\.instance.weight) == [7])
        }

        @Test(arguments: StoreKind.allCases) func `checks and their results are kept`(kind: StoreKind) async throws {
            let fixture = try StoreFixture(kind)
            var instance = ServiceInstance.test(1)
            instance.checks = [.test("a"), .test("b", fall: 5, initial: .critical)]
            var store = try await filled(fixture, [instance])
            _ = instance.adopt(CheckReport(name: "a", status: .critical, output: "HTTP 503", time: clock.now.wall))
            _ = await store.keeps([.update(instance)], clock.source)
            #expect(store.instance(id: "i1")?.instance == instance && store.instance(id: "i1")?.status == .critical)
            if !kind.isDurable { return }
            await store.close()
            store = try await fixture.open(clock.source)
            #expect(store.instance(id: "i1")?.instance == instance && store.instance(id: "i1")?.status == .critical)
        }

        @Test(arguments: StoreKind.allCases) func `a group is kept in its order`(kind: StoreKind) async throws {
            let fixture = try StoreFixture(kind)
            let store = try await filled(fixture, [.test(1)])
            let results = await store.keeps(
                [.deregister(id: "i1"), .register(.test(2)), .deregister(id: "i2"), .deregister(id: "i2")],
                clock.source
            )
            #expect(results.map { $0?.instance.id } == ["i1", "i2", "i2", nil])
            #expect(store.allInstances().isEmpty)
            if !kind.isDurable { return }
            // An instance that has left is not there after a restart either, even if the same group registered it.
            await store.close()
            #expect(try await fixture.open(clock.source).allInstances().isEmpty)
        }

        @Test(arguments: StoreKind.allCases) func `a large group is kept whole`(kind: StoreKind) async throws {
            let fixture = try StoreFixture(kind)
            let store = try await filled(fixture, (1...10_000).map { .test($0) })
            #expect(store.instances(ofService: "orders").count == 10_000)
            let page = store.list(after: nil, limit: 9000, filter: InstanceFilter(status: .passing))
            #expect(page.instances.count == 9000)
            #expect(store.allInstances().map(\.sequence) == Array(1...10_000))
        }

        @Test func `a page for which much has to be looked through ends early, and a walk finds all`() async throws {
            let store = MemoryStore()
            let numbers: ClosedRange<UInt64> = 1...25_000
            let instances = numbers.map { ServiceInstance.test($0, draining: $0 % 12_000 == 0) }
            _ = await store.keeps(instances.map { .register($0) }, clock.source)
            var page = store.list(after: nil, limit: 10, filter: InstanceFilter(status: .draining))
            #expect(page.instances.isEmpty && !page.isLast && page.lastSequence == 10_240)
            var found: [UInt64] = []
            var pages = 1
            while !page.isLast {
                page = store.list(after: page.lastSequence, limit: 10, filter: InstanceFilter(status: .draining))
                found += page.instances.map(\.instance.sequence)
                pages += 1
            }
            #expect(found == [12_000, 24_000])
            #expect(pages == 3)
        }

        @Test func `services have pages in any size`() async throws {
            let store = MemoryStore()
            let instances = (1...1000 as ClosedRange<UInt64>).map { ServiceInstance.test($0, name: "s\($0)") }
            _ = await store.keeps(instances.map { .register($0) }, clock.source)
            let names = instances.map(\.name).sorted()
            for limit in [1, 255, 256, 257, 999, 1000, 5000] {
                var found: [String] = []
                while found.count < 1000 {
                    let page = store.serviceSummaries(after: found.last, limit: limit)
                    #expect(page.count == min(limit, 1000 - found.count))
                    found += page.map(\.name)
                    if limit == 1, found.count == 10 { break }
                }
                #expect(found.elementsEqual(names.prefix(found.count)))
            }
        }

        @Test(arguments: StoreKind.allCases.filter(\.expiresByItself))
        func `a heartbeat keeps an instance that would expire`(
            kind: StoreKind
        ) async throws {
            let fixture = try StoreFixture(kind)
            let store = try await filled(fixture, [.test(1, ttl: 10), .test(2, ttl: 10)])
            clock.advance(by: .seconds(9))
            #expect(store.renew(id: "i1", now: clock.now)?.expiresAt == clock.now.wall.advanced(bySeconds: 10))
            #expect(store.renew(id: "x", now: clock.now) == nil)
            clock.advance(by: .seconds(1))
            let expired = try await store.removeExpired(Sweep(now: clock.now), limit: 100)
            #expect(expired.instances.map(\.id) == ["i2"])
            #expect(store.instance(id: "i2") == nil)
            #expect(store.instance(id: "i1") != nil)
        }

        @Test(arguments: StoreKind.allCases.filter(\.isDurable))
        func `what was kept is there after a restart, with a whole ttl`(kind: StoreKind) async throws {
            let fixture = try StoreFixture(kind)
            var rich = ServiceInstance.test(
                2, name: "users", ip: "2001:db8::2", port: 65535, transport: .udp, tags: ["blue", "v1"], weight: 65535,
                priority: 1, ttl: Int(Int32.max), dnsTTL: 86_400)
            rich.idOrigin = .substitute
            rich.metadata = [MetadataEntry(key: "z", value: "\u{1F600}\"\n"), MetadataEntry(key: "a", value: "")]
            var store = try await filled(fixture, [.test(1, ttl: 10), rich, .test(3), .test(4, ttl: 0), .test(5)])
            var drained = ServiceInstance.test(3)
            drained.isDraining = true
            _ = await store.keeps(
                [.update(drained), .deregister(id: "i5"), .register(.test(4, weight: 7, ttl: 0))], clock.source)
            clock.advance(by: .seconds(9))
            await store.close()

            store = try await fixture.open(clock.source)
            let all = store.list(after: nil, limit: 10, filter: InstanceFilter()).instances
            #expect(all.map(\.instance) == [.test(1, ttl: 10), rich, drained, .test(4, weight: 7, ttl: 0)])
            #expect(all.first?.lease.expiresAt == clock.now.wall.advanced(bySeconds: 10))
            #expect(all.last?.lease.expiresAt == nil)
            clock.advance(by: .seconds(9))
            #expect(try await store.removeExpired(Sweep(now: clock.now), limit: 100).instances.isEmpty)
            // A sequence number is never given twice while the first instance that had it may be listed.
            #expect(store.nextSequence(now: clock.now) > 4)
            await store.close()
        }

        @Test(arguments: StoreKind.allCases.filter { $0.isDurable && $0.expiresByItself })
        func `what has expired is gone after a restart`(kind: StoreKind) async throws {
            let fixture = try StoreFixture(kind)
            var store = try await filled(fixture, [.test(1, ttl: 10), .test(2, ttl: 20)])
            clock.advance(by: .seconds(10))
            #expect(try await store.removeExpired(Sweep(now: clock.now), limit: 100).instances.map(\.id) == ["i1"])
            await store.close()
            store = try await fixture.open(clock.source)
            #expect(store.list(after: nil, limit: 10, filter: InstanceFilter()).instances.map(\.instance.id) == ["i2"])
            await store.close()
        }
    }
}
