import Engine
import GRDB
import Testing

@testable import ControlPlane

/// What a store finds if the previous process ended in the middle of a change.
@Suite struct RestartTests {
    private func registration(_ number: Int) -> StoreChange {
        .register(
            ServiceInstance(
                id: "i\(number)", name: "a", address: .v4(0x0A00_0000 + UInt32(number)), port: 80, transport: .tcp,
                tags: [], metadata: [], weight: 1, priority: 0, ttlSeconds: 0, dnsTTL: 5,
                registeredAt: WallTime(millisecondsSince1970: 0), sequence: UInt64(number)))
    }

    @Test(arguments: 0..<12)
    func `what a start finds survives a loss of power, although the previous process did not sync it`(steps: Int)
        async throws
    {
        for seed in 1...8 as ClosedRange<UInt64> {
            let world = World(seed: seed)
            let time = SimulatedProcess(world).time
            let disk = SimulatedDisk(world)
            let folder = DatabaseFolder(disk)
            let first = try folder.open()
            #expect(await first.store.commit([registration(1)], time: time).count == 1)
            disk.prepareCrash(after: steps, losesPower: false)
            _ = await first.store.commit([registration(2)], time: time)
            disk.recover()
            first.session.sever()
            await first.store.close()

            let second = try folder.open()
            try await second.store.load(time: time)
            let found = second.store.allInstances()
            #expect(found.count >= 1)
            second.session.sever()
            await second.store.close()
            disk.losePower()

            let third = try folder.open()
            try await third.store.load(time: time)
            #expect(third.store.allInstances() == found, "seed \(seed)")
            await third.store.close()
        }
    }

    @Test func `a start that can't sync what it finds reports it until something can be written`() async throws {
        let world = World(seed: 1)
        let time = SimulatedProcess(world).time
        let disk = SimulatedDisk(world)
        let folder = DatabaseFolder(disk)
        let first = try folder.open()
        // This is more than the file has room for at first.
        #expect(await first.store.commit((1...200).map { registration($0) }, time: time).count == 200)
        first.session.sever()
        await first.store.close()

        disk.fill(leaving: 0)
        let second = try folder.open()
        #expect(second.store.state.problem?.contains("full") == true)
        try await second.store.load(time: time)
        #expect(second.store.allInstances().count == 200)
        disk.empty()
        _ = try await second.store.removeExpired(Sweep(now: time.now()), limit: 10)
        #expect(second.store.state.isHealthy)
        await second.store.close()
    }

    @Test func `a first start whose disk fails has turned the write-ahead log on, or fails and says so`() async throws {
        var refusals = 0
        for seed in 1...200 as ClosedRange<UInt64> {
            let disk = SimulatedDisk(World(seed: seed))
            let folder = DatabaseFolder(disk)
            disk.failures = 20
            do {
                let opened = try folder.open()
                disk.recover()
                let journal = try opened.store.database.queue.inDatabase {
                    try String.fetchOne($0, sql: "PRAGMA journal_mode")
                }
                #expect(journal == "wal", "seed \(seed)")
                opened.session.sever()
                await opened.store.close()
            } catch let error as StoreUnavailable where error.reason.contains("write-ahead log") {
                refusals += 1
            } catch is StoreUnavailable {}
        }
        #expect(refusals > 0)
    }
}
