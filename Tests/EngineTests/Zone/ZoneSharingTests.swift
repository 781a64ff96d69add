import Testing

@testable import Engine

/// A publication costs only what changes. The tests compare what two snapshots share, and measure no time.
struct ZoneSharingTests {
    private static func makeBuilder(names: Int) throws -> SnapshotBuilder {
        var builder = try SnapshotBuilder([EngineConfiguration.test().zone], strategy: .roundRobin)
        let changes = (0..<names).map { NameChange(name: "n\($0)", content: .records([.a(1)])) }
        try builder.apply(ZoneUpdate(serial: 1, changes: changes))
        return builder
    }

    /// The numbers of nodes and shards of `new` that are not in `old`.
    private func countDifferences(_ old: ZoneRoot, _ new: ZoneRoot) -> (branches: Int, twigs: Int, shards: Int) {
        var differences = (branches: 0, twigs: 0, shards: 0)
        for branch in 0..<32 where old.child(branch) !== new.child(branch) {
            differences.branches += 1
            for twig in 0..<32 where old.child(branch).child(twig) !== new.child(branch).child(twig) {
                differences.twigs += 1
                let (oldTwig, newTwig) = (old.child(branch).child(twig), new.child(branch).child(twig))
                for shard in 0..<32 where oldTwig.child(shard) !== newTwig.child(shard) { differences.shards += 1 }
            }
        }
        return differences
    }

    @Test func `one change among 100,000 names rebuilds one shard and the path to it`() throws {
        var builder = try Self.makeBuilder(names: 100_000)
        for change in [
            NameChange(name: "n5", content: .records([.a(2)])), NameChange(name: "n77", content: .absent),
            NameChange(name: "new", content: .records([.a(1)])), NameChange(name: "n99999", content: .failure),
        ] {
            let before = builder.snapshot.zones[0].root
            try builder.apply(ZoneUpdate(serial: 2, changes: [change]))
            #expect(countDifferences(before, builder.snapshot.zones[0].root) == (1, 1, 1))
        }
        // A name below another one also touches its parent's shard, and no more.
        let before = builder.snapshot.zones[0].root
        try builder.apply(ZoneUpdate(serial: 3, changes: [NameChange(name: "x.n7", content: .records([.a(1)]))]))
        let differences = countDifferences(before, builder.snapshot.zones[0].root)
        #expect(differences.shards <= 2 && differences.twigs <= 2 && differences.branches <= 2)
    }

    @Test func `no change rebuilds no shard`() throws {
        var builder = try Self.makeBuilder(names: 1000)
        let before = builder.snapshot.zones[0].root
        try builder.apply(ZoneUpdate(serial: 2, changes: []))
        #expect(countDifferences(before, builder.snapshot.zones[0].root) == (0, 0, 0))
    }

    @Test func `100,000 names are spread evenly`() throws {
        let root = try Self.makeBuilder(names: 100_000).snapshot.zones[0].root
        var counts: [Int] = []
        for branch in 0..<32 {
            for twig in 0..<32 {
                for shard in 0..<32 { counts.append(root.child(branch).child(twig).child(shard).view.names.count) }
            }
        }
        #expect(counts.reduce(0, +) == 100_001)  // and "ns"
        // A shard has three names on average. By chance one shard in ten billion would have twenty.
        #expect(counts.max() ?? 0 < 20)
    }

    @Test func `old snapshots and what only they hold are freed`() throws {
        var builder = try Self.makeBuilder(names: 100)
        weak var snapshot: ZoneSnapshot?
        weak var shard: ZoneShard?
        weak var twig: ZoneTwig?
        weak var root: ZoneRoot?
        let wire: [UInt8] = [2] + "n1".utf8
        let slot = ShardSlot(NameHash.hash(wire.rawSpan))
        func look() {
            snapshot = builder.snapshot
            root = builder.snapshot.zones[0].root
            twig = builder.snapshot.zones[0].root.child(slot.branch).child(slot.twig)
            shard = twig?.child(slot.shard)
        }
        look()
        #expect(snapshot != nil && shard != nil && twig != nil && root != nil)
        try builder.apply(ZoneUpdate(serial: 2, changes: [NameChange(name: "n1", content: .absent)]))
        #expect(snapshot == nil && shard == nil && twig == nil && root == nil)
        look()
        let kept = builder.snapshot
        try builder.apply(ZoneUpdate(serial: 3, changes: [NameChange(name: "n1", content: .failure)]))
        #expect(snapshot === kept && shard != nil && twig != nil && root === kept.zones[0].root)
    }

    @Test func `of a thousand publications only the last is left`() throws {
        struct Reference {
            weak let snapshot: ZoneSnapshot?
            weak let root: ZoneRoot?
            weak let shard: ZoneShard?
        }
        var builder = try Self.makeBuilder(names: 1000)
        var references: [Reference] = []
        for round in 0..<1000 {
            let name = "n\(round % 10)"
            let content: NameContent = round % 3 == 0 ? .absent : .records([.a(round % 5 + 1), .srv([.ten(1)])])
            let changes = [NameChange(name: name, content: content)]
            try builder.apply(ZoneUpdate(serial: UInt32(round), changes: changes))
            let root = builder.snapshot.zones[0].root
            let wire = [UInt8(name.utf8.count)] + name.utf8
            let shard = root.shard(for: NameHash.hash(wire.rawSpan))
            references.append(Reference(snapshot: builder.snapshot, root: root, shard: shard))
        }
        #expect(references.count { $0.snapshot != nil } == 1)
        #expect(references.count { $0.root != nil } == 1)
        // These are the last shards of the ten names.
        #expect(Set(references.compactMap { $0.shard.map(ObjectIdentifier.init) }).count <= 10)
        #expect(references.dropLast(10).allSatisfy { $0.shard == nil })
    }
}
