import Testing

@testable import Engine

struct ZoneBuilderTests {
    private func makeBuilder(_ strategy: RotationStrategyName = .roundRobin) throws -> SnapshotBuilder {
        try SnapshotBuilder([EngineConfiguration.test().zone], strategy: strategy)
    }

    private func update(_ changes: (String, NameContent)...) -> ZoneUpdate {
        ZoneUpdate(serial: 1, changes: changes.map { NameChange(name: $0.0, content: $0.1) })
    }

    private let address = NameContent.records([.a(1)])

    @Test func `names are added, replaced and removed`() throws {
        let server = try TestServer()
        #expect(try server.ask("web").outcome == .nameError)
        try server.publish(["web": .records([.a(2)])])
        #expect(try server.ask("web").addresses.count == 2)
        try server.publish(["web": .records([.a(3), .aaaa(1)])])
        #expect(try server.ask("web").addresses.count == 3)
        try server.publish(["web": .records([.aaaa(1)])])
        #expect(try server.ask("web").outcome == .noData)
        try server.publish(["web": .failure])
        #expect(try server.ask("web").outcome == .serverFailure)
        try server.publish(["web": .records([])])
        #expect(try server.ask("web").outcome == .noData)
        try server.publish(["web": .absent])
        #expect(try server.ask("web").outcome == .nameError)
        try server.publish(["web": .absent])
        #expect(try server.ask("web").outcome == .nameError)
    }

    @Test func `a name listed twice has what it is given last`() throws {
        var builder = try makeBuilder()
        try builder.apply(update(("web", .records([.a(1)])), ("web", .absent), ("x.y", address), ("x.y", .absent)))
        #expect(builder.kind(of: "web") == nil && builder.kind(of: "x.y") == nil && builder.kind(of: "y") == nil)
        try builder.apply(update(("web", .absent), ("web", .failure), ("y", .absent), ("x.y", address)))
        #expect(builder.kind(of: "web") == .failure && builder.kind(of: "y") == .emptyNonTerminal)
    }

    @Test func `an empty non-terminal appears with the first name below it and goes with the last`() throws {
        var builder = try makeBuilder()
        try builder.apply(update(("_a._tcp", address)))
        try builder.apply(update(("_b._tcp", address)))
        #expect(builder.kind(of: "_tcp") == .emptyNonTerminal)
        try builder.apply(update(("_a._tcp", .absent)))
        #expect(builder.kind(of: "_tcp") == .emptyNonTerminal)
        try builder.apply(update(("_b._tcp", .absent)))
        #expect(builder.kind(of: "_tcp") == nil)
    }

    @Test func `nested empty non-terminals come and go together`() throws {
        var builder = try makeBuilder()
        try builder.apply(update(("a.b.c.d", address)))
        for name in ["b.c.d", "c.d", "d"] { #expect(builder.kind(of: name) == .emptyNonTerminal) }
        try builder.apply(update(("x.c.d", address), ("a.b.c.d", .absent)))
        #expect(builder.kind(of: "b.c.d") == nil)
        for name in ["c.d", "d"] { #expect(builder.kind(of: name) == .emptyNonTerminal) }
        try builder.apply(update(("x.c.d", .absent)))
        for name in ["c.d", "d"] { #expect(builder.kind(of: name) == nil) }
    }

    @Test func `a parent with records of its own stays, and becomes empty when they go`() throws {
        var builder = try makeBuilder()
        try builder.apply(update(("web", address), ("v1.web", address)))
        try builder.apply(update(("web", .absent)))
        #expect(builder.kind(of: "web") == .emptyNonTerminal)
        try builder.apply(update(("web", address)))
        #expect(builder.kind(of: "web") == .records)
        try builder.apply(update(("v1.web", .absent)))
        #expect(builder.kind(of: "web") == .records)
        try builder.apply(update(("v1.web", address)))
        try builder.apply(update(("web", .absent), ("v1.web", .absent)))
        #expect(builder.kind(of: "web") == nil)
        try builder.apply(update(("v1.web", address), ("web", .failure)))
        try builder.apply(update(("v1.web", .absent)))
        #expect(builder.kind(of: "web") == .failure)
    }

    @Test func `nothing changes when an update throws`() throws {
        var builder = try makeBuilder()
        try builder.apply(update(("web", address)))
        let before = builder.snapshot
        let bad: [(String, NameContent)] = [
            ("", address), (".", address), ("a..b", address), (String(repeating: "x", count: 64), address),
            (".web", address), ("web\0", address), ("we\\b", address),
            (String(repeating: "x.", count: 122) + "x", address),
            ("web", .records([RRset(type: .a, ttl: 5, records: [])])),
            ("web", .records([RRset(type: .a, ttl: 0, records: [Record(.address(.ten(1)))])])),
            ("web", .records([RRset(type: .a, ttl: 5, records: [Record(.address(.unique(1)))])])),
            ("web", .records([RRset(type: .aaaa, ttl: 5, records: [Record(.address(.ten(1)))])])),
            ("web", .records([RRset(type: .srv, ttl: 5, records: [Record(.address(.ten(1)))])])),
            ("web", .records([RRset(type: .txt, ttl: 5, records: [Record(.address(.ten(1)))])])),
            ("web", .records([.a(1), .a(2)])),
        ]
        for (name, content) in bad {
            #expect(throws: EngineError.self, "\(name)") {
                try builder.apply(update(("new", address), ("web", .absent), (name, content)))
            }
            #expect(builder.snapshot === before)
        }
        #expect(builder.kind(of: "new") == nil && builder.kind(of: "web") == .records)
        // The counts of children did not change either: an empty non-terminal still comes and goes.
        #expect(throws: EngineError.self) { try builder.apply(update(("x.y", address), ("", address))) }
        try builder.apply(update(("z.y", address)))
        try builder.apply(update(("z.y", .absent)))
        #expect(builder.kind(of: "y") == nil)
        #expect(builder.snapshot.generation == before.generation + 2)
    }

    @Test(arguments: ["ns", "addr", "x.addr", "0a000001.addr", "NS", "Addr", "x.ADDR", "ns.", "addr.", "x.addr."])
    func `the zone's own names are reserved`(_ name: String) throws {
        var builder = try makeBuilder()
        for content in [address, .absent, .failure] {
            #expect(throws: EngineError.self) { try builder.apply(update((name, content))) }
        }
        #expect(builder.kind(of: "ns") == .records)
    }

    @Test(arguments: ["Web", "web.", "x.WEB"])
    func `a name in upper case or with a dot at its end is refused`(_ name: String) throws {
        var builder = try makeBuilder()
        #expect(throws: EngineError.self) { try builder.apply(update((name, address))) }
    }

    @Test(arguments: ["addr.web", "xaddr", "ns.web", "nsx", "web.ns"])
    func `names that only look like them are not`(_ name: String) throws {
        var builder = try makeBuilder()
        try builder.apply(update((name, address)))
        #expect(builder.kind(of: name) == .records)
    }

    @Test func `the longest name fits the zone, a longer one does not`() throws {
        var builder = try makeBuilder()
        let labels = Array(repeating: String(repeating: "x", count: 60), count: 3).joined(separator: ".")
        // This is 255 octets: 3 × 61 + 1 + n, and 14 of the origin.
        let longest = "\(labels).\(String(repeating: "y", count: 57))"
        try builder.apply(update((longest, address)))
        #expect(builder.kind(of: longest) == .records)
        #expect(throws: EngineError.self) { try builder.apply(update((longest + "y", address))) }
    }

    @Test(arguments: [
        "", ".", "a..b", "we\\b", String(repeating: "x", count: 64),
        Array(repeating: "xy", count: 43).joined(separator: "."),
    ])
    func `an origin that is no name, or too long, is refused`(_ origin: String) {
        #expect(throws: EngineError.self) {
            try SnapshotBuilder([EngineConfiguration.test(origin: origin).zone], strategy: .roundRobin)
        }
    }

    @Test func `an origin in upper case or with a dot at its end is the same`() throws {
        for origin in ["Service.KONG", "service.kong."] {
            let server = try TestServer(["web": address], .test(origin: origin))
            #expect(try server.ask("web").addresses == [.ten(0)])
        }
    }

    @Test func `TTLs of the zone are 1–86,400 seconds`() {
        for ttl: UInt32 in [0, 86_401] {
            var zone = EngineConfiguration.test().zone
            zone.ttl = ttl
            #expect(throws: EngineError.self) { try SnapshotBuilder([zone], strategy: .roundRobin) }
            zone.ttl = 1
            zone.negativeTTL = ttl
            #expect(throws: EngineError.self) { try SnapshotBuilder([zone], strategy: .roundRobin) }
        }
    }

    // MARK: Cells

    @Test(arguments: [RotationStrategyName.roundRobin, .weighted])
    func `an RRset keeps its cells when it is published again`(_ strategy: RotationStrategyName) throws {
        var builder = try makeBuilder(strategy)
        try builder.apply(update(("web", .records([.a(3), .aaaa(2)]))))
        let before = builder.cells(of: "web")
        #expect(before.count == 2 && Set(before.values).count == 2)
        try builder.apply(update(("web", .records([.aaaa(2), .a(3)])), ("other", .records([.a(3)]))))
        #expect(builder.cells(of: "web") == before)
        try builder.apply(update(("web", .records([.a(3)]))))
        #expect(builder.cells(of: "web") == before.filter { $0.key == .a })
    }

    @Test(arguments: [RotationStrategyName.roundRobin, .weighted])
    func `cells are used again when their RRset is gone`(_ strategy: RotationStrategyName) throws {
        var builder = try makeBuilder(strategy)
        try builder.apply(update(("warm", .records([.a(3)]))))
        try builder.apply(update(("warm", .absent)))
        let count = builder.snapshot.cellCount
        for round in 0..<100 {
            try builder.apply(update(("name\(round)", .records([.a(3)]))))
            try builder.apply(update(("name\(round)", .absent)))
        }
        #expect(builder.snapshot.cellCount == count)
    }

    @Test func `no two RRsets share a cell`() throws {
        var builder = try makeBuilder(.weighted)
        var random = SeededRandom(6)
        var names: [String: Int] = [:]
        for _ in 0..<500 {
            let name = "name\(Int.random(in: 0..<40, using: &random))"
            let count = Int.random(in: 0...4, using: &random)
            try builder.apply(update((name, count == 0 ? .absent : .records([.a(count), .aaaa(1)]))))
            names[name] = count == 0 ? nil : count
        }
        var taken: Set<UInt32> = []
        for (name, count) in names {
            for (type, cells) in builder.cells(of: name) {
                let size = UInt32(WeightedRotation.cellCount(records: type == .a ? count : 1))
                for cell in cells.first..<(cells.first + size) { #expect(taken.insert(cell).inserted) }
                #expect(Int(cells.first + size) <= builder.snapshot.cellCount)
            }
        }
    }
}

extension SnapshotBuilder {
    private func entry(_ name: String) -> (ShardView, NameEntry)? {
        guard let wire = try? [UInt8](wireName(name).dropLast()) else { return nil }
        let hash = NameHash.hash(wire.rawSpan)
        let view = snapshot.zones[0].root.shard(for: hash).view
        return view.index(of: wire.rawSpan, hash: hash).map { (view, view.names[$0]) }
    }

    /// The kind of a name in the newest snapshot.
    func kind(of name: String) -> NameEntry.Kind? { entry(name)?.1.kind }

    /// The cells of a name's RRsets.
    func cells(of name: String) -> [RecordType: CellAllocator.Cells] {
        guard let (view, entry) = entry(name) else { return [:] }
        let rrsets = view.rrsets(of: entry)
        return Dictionary(
            uniqueKeysWithValues: rrsets.map { ($0.type, CellAllocator.Cells(first: $0.firstCell, stamp: $0.stamp)) })
    }
}
