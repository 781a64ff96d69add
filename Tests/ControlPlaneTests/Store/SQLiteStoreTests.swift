import Foundation
import GRDB
import Logging
import Synchronization
import Testing

@testable import ControlPlane

/// What only the SQLite store does.
@Suite struct SQLiteStoreTests {
    private let clock = TestClock()

    @Test func `what is written is on the disk before anybody is told`() async throws {
        let fixture = try StoreFixture(.sqlite)
        let store = try #require(try await fixture.open(clock.source) as? SQLiteStore)
        let synchronous = try await store.database.queue.read { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        // EXTRA.
        #expect(synchronous == 3)
        await store.close()
    }

    @Test func `a store that failed is well when it has written something, not when nothing was to be written`()
        async throws
    {
        let fixture = try StoreFixture(.sqlite)
        let store = try await fixture.open(clock.source)
        let other = try DatabaseQueue(path: fixture.databasePath)
        try await other.write { database in
            for table in ["instance", "trial"] {
                let sql =
                    "CREATE TRIGGER no_\(table) BEFORE INSERT ON \(table) BEGIN SELECT RAISE(ABORT, 'no room'); END"
                try database.execute(sql: sql)
            }
        }
        guard case .unavailable = await store.commit([.register(.test(1))], time: clock.source).first else {
            Issue.record("it was kept")
            return
        }
        _ = try await store.removeExpired(Sweep(now: clock.now), limit: 10)
        #expect(store.state.problem?.contains("no room") == true)
        try await other.write { try $0.execute(sql: "DROP TRIGGER no_trial") }
        _ = try await store.removeExpired(Sweep(now: clock.now), limit: 10)
        #expect(store.state.problem == nil)
        await store.close()
    }

    @Test func `a group of which a part can't be written is not written at all`() async throws {
        let fixture = try StoreFixture(.sqlite)
        var store = try await fixture.open(clock.source)
        let other = try DatabaseQueue(path: fixture.databasePath)
        try await other.write { database in
            try database.execute(
                sql: """
                    CREATE TRIGGER few BEFORE INSERT ON instance WHEN NEW.sequence > 50
                    BEGIN SELECT RAISE(ABORT, 'no room'); END
                    """)
        }
        let results = await store.commit((1...200).map { .register(.test($0)) }, time: clock.source)
        #expect(results.count == 200)
        for result in results {
            if case .unavailable = result { continue }
            Issue.record("\(result)")
        }
        #expect(store.allInstances().isEmpty)
        await store.close()
        store = try await fixture.open(clock.source)
        #expect(store.allInstances().isEmpty)
        await store.close()
    }

    @Test func `a file that was removed or replaced takes no changes, until it is back`() async throws {
        let fixture = try StoreFixture(.sqlite)
        let store = try await fixture.open(clock.source)
        #expect(await store.keeps([.register(.test(1))], clock.source).count == 1)
        let (path, away) = (fixture.databasePath, fixture.databasePath + ".away")
        try FileManager.default.moveItem(atPath: path, toPath: away)
        for isReplaced in [false, true] {
            if isReplaced { try FileManager.default.copyItem(atPath: away, toPath: path) }
            _ = try await store.removeExpired(Sweep(now: clock.now), limit: 10)
            #expect(store.state.problem?.contains("removed or replaced") == true)
            #expect(await store.keeps([.register(.test(2))], clock.source).isEmpty)
        }
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: away, toPath: path)
        _ = try await store.removeExpired(Sweep(now: clock.now), limit: 10)
        #expect(store.state.problem == nil)
        #expect(await store.keeps([.register(.test(2))], clock.source).count == 1)
        await store.close()
    }

    @Test func `a store whose lock's file was removed takes no changes, for another server may have the database`()
        async throws
    {
        let fixture = try StoreFixture(.sqlite)
        let store = try await fixture.open(clock.source)
        try FileManager.default.removeItem(atPath: fixture.databasePath + ".lock")
        _ = try await store.removeExpired(Sweep(now: clock.now), limit: 10)
        #expect(store.state.problem?.contains(".lock: the file was removed or replaced") == true)
        let other = try await fixture.open(clock.source)
        #expect(await store.keeps([.register(.test(1))], clock.source).isEmpty)
        #expect(await other.keeps([.register(.test(2))], clock.source).count == 1)
        await store.close()
        await other.close()
    }

    @Test func `of many who want a lock at once, on a file that is not there yet, one gets it`() async throws {
        for _ in 0..<500 {
            let path = FileManager.default.temporaryDirectory.appending(path: "kong-discovery-\(UUID())").path
            let locks = await withTaskGroup(of: FileLock?.self) { group in
                for _ in 0..<4 { group.addTask { try? FileLock(path: path) } }
                var locks: [FileLock] = []
                for await lock in group { if let lock { locks.append(lock) } }
                return locks
            }
            #expect(locks.count == 1)
            try FileManager.default.removeItem(atPath: path)
            // The file is gone, so the lock on it has no effect any more.
            let next = try FileLock(path: path)
            #expect(throws: StoreUnavailable.self) { try FileLock(path: path) }
            next.release()
            locks.first?.release()
            try FileManager.default.removeItem(atPath: path)
        }
    }

    @Test func `a lock is no link to another file`() throws {
        let target = try TemporaryFile("")
        let link = target.path + ".lock"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target.path)
        #expect(throws: StoreUnavailable.self) { try FileLock(path: link) }
        try FileManager.default.removeItem(atPath: link)
    }
}
