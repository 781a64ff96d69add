import Engine
import Foundation
import GRDB
import Testing

@testable import ControlPlane

/// Databases of every version open, and have what was in them.
///
/// In `Databases` is one of each schema, named after its newest migration. From `4 policies` on they are files that the
/// server of that time has made; those of the schemas before, of which no server was released, are SQL.
@Suite struct EarlierDatabaseTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Databases")

    private static let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.sorted() ?? []

    private let clock = TestClock()

    /// A copy of a database, as a store's file.
    private func fixture(_ name: String) async throws -> StoreFixture {
        let fixture = try StoreFixture(.sqlite)
        let source = Self.folder.appending(path: name)
        if name.hasSuffix(".sql") {
            let queue = try DatabaseQueue(path: fixture.databasePath)
            let sql = try String(contentsOf: source, encoding: .utf8)
            try await queue.writeWithoutTransaction { try $0.execute(sql: sql) }
            try queue.close()
        } else {
            try FileManager.default.copyItem(atPath: source.path, toPath: fixture.databasePath)
        }
        return fixture
    }

    private func migrations(_ path: String) async throws -> [String] {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        return try await queue.read {
            try String.fetchAll($0, sql: "SELECT identifier FROM grdb_migrations ORDER BY identifier")
        }
    }

    @Test(arguments: names) func `a database opens with all that is in it, and takes changes`(name: String) async throws
    {
        let fixture = try await fixture(name)
        let version = try #require(name.prefix { $0.isNumber }.isEmpty ? nil : Int(name.prefix { $0.isNumber }))
        #expect(try await migrations(fixture.databasePath).count == version)
        for _ in 0..<2 {
            let store = try await fixture.open(clock.source)
            let instances = store.allInstances()
            #expect(instances.map(\.id).contains("own"))
            let web = try #require(instances.first { $0.id == "own" })
            #expect(web.name == "web" && "\(web.address)" == "10.0.0.2" && web.port == 8443)
            #expect(web.transport == .udp && web.tags == ["blue", "v2"] && web.weight == 7 && web.priority == 1)
            #expect(
                web.metadata.first { $0.key == "zone" }?.value == "a \"b\"" && web.ttlSeconds == 0 && web.dnsTTL == 9
                    && web.isDraining)
            let orders = try #require(instances.first { $0.id == "087fd551-b82c-5769-bb6d-098fac8b0454" })
            #expect(orders.name == "orders")
            #expect("\(orders.address)" == "2001:db8::1" && orders.port == 80 && orders.weight == 100)
            #expect(orders.ttlSeconds == 30 && !orders.isDraining && orders.tags.isEmpty)
            #expect(orders.registeredAt.millisecondsSince1970 > 1_760_000_000_000)
            if version >= 3 { #expect(orders.checks.map(\.name) == ["alive"]) }
            let policy = store.view.withTable { $0.policies["orders"] }
            #expect((policy?.strategy == .weighted) == (version >= 4))
            // Its row is one of its own.
            #expect(await store.keeps([.register(.test(9))], clock.source).count == 1)
            await store.close()
        }
    }

    @Test func `there is a database of each version, this one's too`() async throws {
        let fixture = try StoreFixture(.sqlite)
        try await fixture.open(clock.source).close()
        let present = try await migrations(fixture.databasePath)
        let versions = Self.names.map { name in Int(name.prefix { $0.isNumber }) ?? 0 }.sorted()
        #expect(versions == Array(1...present.count))
        let newest = try #require(Self.names.first { $0.hasPrefix("\(present.count)") })
        // A database is there as long as its fixture is.
        let copy = try await self.fixture(newest)
        let stored = try await migrations(copy.databasePath)
        withExtendedLifetime((fixture, copy)) {}
        #expect(stored == present)
    }
}
