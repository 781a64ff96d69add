import Engine
import GRDB
import Testing

@testable import ControlPlane

extension StorageTests {
    /// Policies are as durable as instances.
    @Suite struct PolicyStoreTests {
        private let clock = TestClock()
        private let policy = ServicePolicy(
            strategy: .weighted, onEmpty: .lastKnown, emptyGrace: .milliseconds(1500), priorities: .all,
            protectThreshold: 0.25, dnsTTL: 86_400, bounds: PolicyBounds(maximumWeight: 0, minimumPriority: 65_535))

        @Test(arguments: StoreKind.allCases)
        func `policies are replaced and removed, and are there after a restart`(kind: StoreKind) async throws {
            let fixture = try StoreFixture(kind)
            var store = try await fixture.open(clock.source)
            var instance = ServiceInstance.test(1)
            instance.hasDefaultDNSTTL = true
            let changes: [StoreChange] = [
                .policy(name: "orders", policy), .register(instance), .policy(name: "users", policy),
                .policy(name: "users", ServicePolicy()), .register(.test(2)), .policy(name: "gone", policy),
            ]
            #expect(await store.commit(changes, time: clock.source).count == 6)
            #expect(await store.keeps([.policy(name: "gone", nil)], clock.source).count == 1)
            let expected = [
                NamedPolicy(name: "orders", policy: policy), NamedPolicy(name: "users", policy: ServicePolicy()),
            ]
            #expect(store.allPolicies() == expected)
            guard kind.isDurable else { return }
            await store.close()
            store = try await fixture.open(clock.source)
            #expect(store.allPolicies() == expected)
            #expect(store.allInstances().map(\.hasDefaultDNSTTL) == [true, false])
            #expect(await store.keeps([.policy(name: "orders", nil)], clock.source).count == 1)
            await store.close()
            store = try await fixture.open(clock.source)
            #expect(store.allPolicies() == [expected[1]])
        }

        @Test
        func `a database of the version before is opened, and rows that are no policies are skipped`() async throws {
            let fixture = try StoreFixture(.sqlite)
            let first = try await fixture.open(clock.source)
            _ = await first.keeps([.register(.test(1))], clock.source)
            await first.close()
            let queue = try DatabaseQueue(path: fixture.databasePath)
            try await queue.write { database in
                try database.execute(
                    sql: """
                        DROP TABLE policy; ALTER TABLE instance DROP COLUMN has_default_dns_ttl;
                        DELETE FROM grdb_migrations WHERE identifier = '4 policies';
                        """)
            }
            try queue.close()
            let second = try await fixture.open(clock.source)
            #expect(second.allInstances() == [.test(1)] && second.allPolicies().isEmpty)
            _ = await second.keeps([.policy(name: "orders", policy)], clock.source)
            await second.close()
            let other = try DatabaseQueue(path: fixture.databasePath)
            try await other.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO policy VALUES ('a', '{'), ('b', '{"name":"c"}'), ('d', '{"name":"d","dns_ttl":0}'),
                        ('e', '{"name":"e","dns_ttl":9,"later":1}');
                        """)
            }
            try other.close()
            let third = try await fixture.open(clock.source)
            let later = NamedPolicy(name: "e", policy: ServicePolicy(dnsTTL: 9))
            #expect(third.allPolicies() == [later, NamedPolicy(name: "orders", policy: policy)])
        }
    }
}
