import Testing

@testable import Engine

/// RRsets of many records that are changed record by record. Every answer is that of the same RRset given whole, octet
/// by octet.
struct RecordListTests {
    /// An RRset as a dictionary.
    private struct Model {
        let type: RecordType
        var records: [UInt64: Record] = [:]
        var ttl: UInt32 = 5
        var weightDivisor: UInt16 = 1

        /// The whole RRset, with its weights divided.
        var rrset: RRset {
            RRset(
                type: type, ttl: ttl,
                records: records.sorted { $0.key < $1.key }.map { _, record in
                    guard case .service(let priority, let weight, let port, let target) = record.data else {
                        return record
                    }
                    return Record(
                        .service(priority: priority, weight: weight / weightDivisor, port: port, target: target),
                        weight: record.weight)
                })
        }

        /// The first record of each target. `nil`: records of this type have no targets, so each counts as the first.
        private var firsts: Set<UInt64>? {
            guard type == .srv else { return nil }
            var seen: Set<IPAddress> = []
            return Set(
                records.sorted { $0.key < $1.key }.filter { $0.value.target.map { seen.insert($0).inserted } ?? true }
                    .map(\.key))
        }

        /// The change that leads from `before` to here.
        func change(from before: Model) -> RRsetChange {
            let (firsts, firstsBefore) = (firsts, before.firsts)
            let changed = Set(records.keys).union(before.records.keys).filter { sequence in
                records[sequence] != before.records[sequence]
                    || firsts?.contains(sequence) != firstsBefore?.contains(sequence)
            }
            // Sorting comes last, because nearly all records are the same and the lists are long.
            let changes = changed.sorted().map { sequence in
                let record = records[sequence]
                return RecordChange(
                    sequence: sequence, record: record, hasAdditional: firsts?.contains(sequence) ?? (record != nil))
            }
            return RRsetChange(type: type, ttl: ttl, weightDivisor: weightDivisor, records: changes)
        }

        var whole: RRsetChange {
            var change = change(from: Model(type: type))
            change.isWhole = true
            return change
        }
    }

    private static func randomRecord(_ type: RecordType, _ targets: Int, _ random: inout SeededRandom) -> Record {
        let number = Int.random(in: 0..<targets, using: &random)
        let weight = UInt16([0, 2, 4, 10].randomElement(using: &random) ?? 2)
        switch type {
        case .a: return Record(.address(.ten(number)), weight: UInt32(weight))
        case .aaaa: return Record(.address(.unique(number)), weight: UInt32(weight))
        default:
            let target = number.isMultiple(of: 3) ? IPAddress.unique(number) : .ten(number)
            let port = UInt16.random(in: 1...60_000, using: &random)
            return Record(
                .service(priority: 1, weight: weight, port: port, target: target), weight: UInt32(weight))
        }
    }

    @Test(arguments: [RecordType.a, .aaaa, .srv], RotationStrategyName.allCases)
    func `any sequence of changes answers as the whole does`(
        _ type: RecordType, _ strategy: RotationStrategyName
    ) throws {
        var random = SeededRandom(UInt64(type.rawValue) + UInt64(strategy.rawValue.utf8.count))
        let changed = try TestServer(.test(strategy: strategy, udpPayload: 4096))
        var model = Model(type: type)
        for step in 0..<60 {
            let before = model
            // The RRset grows beyond some blocks, shrinks to few records, and grows again.
            let goal = [150, 400, 20, 300, 3, 0][step / 10 % 6]
            for _ in 0..<Int.random(in: 0...max(8, abs(goal - model.records.count) / 4), using: &random) {
                let isGrowing = model.records.count < goal ? Int.random(in: 0..<5, using: &random) > 0 : false
                let sequence = UInt64.random(in: 0..<2000, using: &random)
                if isGrowing {
                    let record = Self.randomRecord(type, 300, &random)
                    let isTwice = model.records.contains { $0.key != sequence && $0.value.data == record.data }
                    if !isTwice { model.records[sequence] = record }
                } else if let gone = model.records.keys.randomElement(using: &random) {
                    model.records[gone] = nil
                }
            }
            if Int.random(in: 0..<4, using: &random) == 0 { model.ttl = UInt32.random(in: 1...9, using: &random) }
            if Int.random(in: 0..<4, using: &random) == 0 { model.weightDivisor = 3 - model.weightDivisor }
            let isWhole = before.records.isEmpty || Int.random(in: 0..<15, using: &random) == 0
            try changed.publish(["web": .changed([isWhole ? model.whole : model.change(from: before)])])
            let whole = try TestServer(
                ["web": .records(model.records.isEmpty ? [] : [model.rrset])],
                .test(strategy: .roundRobin, udpPayload: 4096))
            for (payload, overTCP) in [(nil, true), (nil, false), (UInt16(4096), false)] {
                var query = TestQuery("web.service.kong", type)
                if let payload { query = query.offering(payload: payload) }
                let reply = try changed.ask(query, overTCP: overTCP)
                #expect((reply.outcome == .noData) == model.records.isEmpty)
                guard !model.records.isEmpty else { continue }
                // Both rotate, and began at different places.
                let octets = try query.octets
                let isSame = (0...model.records.count).contains { _ in
                    whole.reply(to: octets, overTCP: overTCP) == reply.octets
                }
                #expect(isSame, "\(type) at step \(step), \(model.records.count) records")
            }
        }
    }

    @Test func `weights decide what comes first as in an RRset given whole`() throws {
        var random = SeededRandom(9)
        var model = Model(type: .a)
        for number in 0..<200 {
            model.records[UInt64(number)] = Record(
                .address(.ten(number)), weight: UInt32(Int.random(in: 0...3, using: &random)))
        }
        let changed = try TestServer(["web": .changed([model.whole])], .test(strategy: .weighted))
        let whole = try TestServer(["web": .records([model.rrset])], .test(strategy: .weighted))
        func expectSame() throws {
            for _ in 0..<500 {
                let replies = try (changed.ask("web", overTCP: true), whole.ask("web", overTCP: true))
                #expect(replies.0.octets == replies.1.octets)
            }
        }
        try expectSame()
        // The state of the rotation continues if only the TTL changes, and starts anew if a weight changes.
        for turn in 0..<200 {
            if turn % 50 == 20 {
                let before = model
                model.ttl += 1
                try changed.publish(["web": .changed([model.change(from: before)])])
            }
            let replies = try (changed.ask("web", overTCP: true), whole.ask("web", overTCP: true))
            #expect(replies.0.addresses == replies.1.addresses)
            #expect(replies.0.answers.allSatisfy { $0.ttl == model.ttl })
        }
        let last = model
        model.records[7] = Record(.address(.ten(7)), weight: 50)
        try changed.publish(["web": .changed([model.change(from: last)])])
        try whole.publish(["web": .records([model.rrset])])
        try expectSame()
    }

    @Test func `the rotation goes on whatever else of the RRset changes`() throws {
        var model = Model(type: .a)
        for number in 0..<300 { model.records[UInt64(number)] = Record(.address(.ten(number))) }
        let server = try TestServer(["web": .changed([model.whole])])
        for turn in 0..<600 {
            if turn % 7 == 0 {
                let before = model
                model.ttl = UInt32(1 + turn % 5)
                try server.publish(["web": .changed([model.change(from: before)])])
            }
            let reply = try server.ask("web", overTCP: true)
            #expect(reply.addresses.first == .ten(turn % 300))
            #expect(reply.answers.allSatisfy { $0.ttl == model.ttl })
        }
    }

    @Test func `more than a message holds is answered with as much as fits, beginning with another one each time`()
        throws
    {
        var model = Model(type: .srv)
        for number in 0..<3000 {
            let data = RecordData.service(priority: 0, weight: 4, port: 80, target: .ten(number))
            model.records[UInt64(number)] = Record(data)
        }
        model.weightDivisor = 4
        let changed = try TestServer(["web": .changed([model.whole])])
        let whole = try TestServer(["web": .records([model.rrset])])
        // The blocks were packed with a divisor that has changed by now.
        let before = model
        model.records[1500] = nil
        model.weightDivisor = 2
        try changed.publish(["web": .changed([model.change(from: before)])])
        try whole.publish(["web": .records([model.rrset])])
        for _ in 0..<3 {
            let replies = try (changed.ask("web", .srv, overTCP: true), whole.ask("web", .srv, overTCP: true))
            #expect(replies.0.octets == replies.1.octets)
            #expect(replies.0.services.allSatisfy { $0.weight == 2 })
            #expect(replies.0.services.count > 1000)
        }
    }

    @Test func `addresses of targets that no pointer reaches keep their TTL when the RRset has another`() throws {
        var model = Model(type: .srv)
        for number in 0..<600 {
            let data = RecordData.service(priority: 0, weight: 1, port: 80, target: .ten(number))
            model.records[UInt64(number)] = Record(data)
        }
        let changed = try TestServer(["web": .changed([model.whole])])
        let before = model
        model.records[300] = nil
        model.ttl = 9
        try changed.publish(["web": .changed([model.change(from: before)])])
        let whole = try TestServer(["web": .records([model.rrset])])
        let replies = try (changed.ask("web", .srv, overTCP: true), whole.ask("web", .srv, overTCP: true))
        #expect(replies.0.octets == replies.1.octets)
        #expect(replies.0.message.additional.count == 599)
        #expect(replies.0.message.answers.allSatisfy { $0.ttl == 9 })
        #expect(replies.0.message.additional.allSatisfy { $0.ttl == 86_400 })
    }

    @Test func `only the blocks that change are made anew`() throws {
        var model = Model(type: .a)
        for number in 0..<10_000 { model.records[UInt64(number) * 10] = Record(.address(.ten(number))) }
        var builder = try SnapshotBuilder([EngineConfiguration.test().zone], strategy: .roundRobin)
        func apply(_ change: RRsetChange) throws -> [RecordBlock] {
            try builder.apply(
                ZoneUpdate(serial: 1, changes: [NameChange(name: "web", content: .changed([change]))]))
            return try #require(builder.list(of: "web")).blocks
        }
        var blocks = try apply(model.whole)
        for step in 0..<200 {
            let before = model
            let sequence = UInt64(step * 7919 % 100_000)
            switch step % 3 {
            case 0: model.records[sequence] = Record(.address(.ten(20_000 + step)))
            case 1: model.records[UInt64(step * 7919 % 10_000) * 10] = nil
            default: model.ttl = UInt32(step % 9 + 1)
            }
            let next = try apply(model.change(from: before))
            let known = Set(blocks.map(ObjectIdentifier.init))
            #expect(next.count { !known.contains(ObjectIdentifier($0)) } <= 2)
            #expect(next.count <= 10_000 / 32)
            blocks = next
        }
        // When most records go, there are fewer blocks.
        let before = model
        model.records = model.records.filter { $0.key % 300 == 0 }
        #expect(try apply(model.change(from: before)).count <= model.records.count / 16)
    }

    @Test func `a block that overflows becomes two halves, but full blocks stay full when records come at the end`()
        throws
    {
        var model = Model(type: .a)
        let limit = RecordListBuilder.blockLimit
        for number in 0..<limit { model.records[UInt64(number) * 10] = Record(.address(.ten(number))) }
        let last = UInt64(limit) * 10
        for (sequence, counts) in [(5, [limit / 2 + 1, limit / 2]), (last, [limit, 1])] as [(UInt64, [Int])] {
            var builder = try SnapshotBuilder([EngineConfiguration.test().zone], strategy: .roundRobin)
            let added = RecordChange(sequence: sequence, record: Record(.address(.ten(1_000_000))))
            for change in [model.whole, RRsetChange(type: .a, ttl: 5, records: [added])] {
                try builder.apply(
                    ZoneUpdate(serial: 1, changes: [NameChange(name: "web", content: .changed([change]))]))
            }
            #expect(try #require(builder.list(of: "web")).blocks.map(\.view.count) == counts)
        }
    }

    @Test func `names whose records are and change the same share one list`() throws {
        var model = Model(type: .a)
        for number in 0..<1000 { model.records[UInt64(number)] = Record(.address(.ten(number))) }
        var builder = try SnapshotBuilder([EngineConfiguration.test().zone], strategy: .roundRobin)
        func apply(_ contents: [RRsetChange]) throws -> [RecordList] {
            let names = contents.indices.map { "web\($0)" }
            try builder.apply(
                ZoneUpdate(
                    serial: 1, changes: zip(names, contents).map { NameChange(name: $0, content: .changed([$1])) }))
            return try names.map { try #require(builder.list(of: $0)) }
        }
        var lists = try apply([model.whole, model.whole])
        #expect(lists[0] === lists[1])
        let before = model
        model.records[7] = nil
        let change = model.change(from: before)
        lists = try apply([change, change])
        #expect(lists[0] === lists[1] && lists[0].view.parts.count == 999)
        // From now on the two lists differ.
        let unchanged = RRsetChange(type: .a, ttl: 9, records: [])
        lists = try apply([unchanged])
        #expect(builder.list(of: "web1") !== lists[0])
        var other = change
        other.records = [RecordChange(sequence: 8, record: nil)]
        lists = try apply([other, other])
        #expect(lists[0] !== lists[1])
        #expect(lists.map { $0.view.parts.ttl } == [5, 5] && lists.allSatisfy { $0.view.parts.count == 998 })
    }

    @Test func `a change that does not fit what is there is refused, and nothing changes`() throws {
        var model = Model(type: .a)
        for number in 0..<200 { model.records[UInt64(number)] = Record(.address(.ten(number))) }
        let server = try TestServer(["web": .changed([model.whole]), "few": .records([.a(3)])])
        let address = Record(.address(.ten(1)))
        let bad: [(String, RRsetChange)] = [
            ("web", RRsetChange(type: .a, ttl: 5, records: [RecordChange(sequence: 777, record: nil)])),
            ("web", RRsetChange(type: .a, ttl: 0, records: [])),
            ("web", RRsetChange(type: .a, ttl: 5, weightDivisor: 0, records: [])),
            ("web", RRsetChange(type: .aaaa, ttl: 5, records: [RecordChange(sequence: 1, record: address)])),
            ("web", RRsetChange(type: .a, ttl: 5, isWhole: true, records: [RecordChange(sequence: 1, record: nil)])),
            (
                "web",
                RRsetChange(
                    type: .a, ttl: 5,
                    records: [
                        RecordChange(sequence: 301, record: address), RecordChange(sequence: 300, record: address),
                    ])
            ),
            (
                "web",
                RRsetChange(
                    type: .a, ttl: 5,
                    records: [RecordChange(sequence: 3, record: Record(.address(.unique(1))))])
            ),
            ("few", RRsetChange(type: .a, ttl: 5, records: [RecordChange(sequence: 1, record: address)])),
            ("none", RRsetChange(type: .a, ttl: 5, records: [RecordChange(sequence: 1, record: address)])),
        ]
        for (name, change) in bad {
            #expect(throws: EngineError.self, "\(name): \(change)") {
                try server.publish([name: .changed([change]), "another": .records([.a(1)])])
            }
        }
        #expect(try server.ask("web", overTCP: true).addresses.count == 200)
        #expect(try server.ask("another").outcome == .nameError)
        #expect(throws: EngineError.self) { try server.publish(["web": .changed([model.whole, model.whole])]) }
    }

    @Test func `RRsets that a change does not mention stay, and one that loses its last record is gone`() throws {
        let one = RRsetChange(
            type: .aaaa, ttl: 5, isWhole: true,
            records: [RecordChange(sequence: 1, record: Record(.address(.unique(1))))])
        let server = try TestServer(["web": .records([.a(3), .srv([.ten(1)])])])
        try server.publish(["web": .changed([one])])
        #expect(try server.ask("web").addresses.count == 3)
        #expect(try server.ask("web", .srv).services.count == 1)
        #expect(try server.ask("web", .aaaa).addresses == [.unique(1)])
        let gone = RRsetChange(type: .aaaa, ttl: 5, records: [RecordChange(sequence: 1, record: nil)])
        try server.publish(["web": .changed([gone])])
        #expect(try server.ask("web", .aaaa).outcome == .noData)
        #expect(try server.ask("web").addresses.count == 3)
        // A name that is changed twice in one update has both changes.
        var responder = try InProcessResponder(.test())
        let changes = [one, gone, one].map { NameChange(name: "web", content: .changed([$0])) }
        try responder.publish(ZoneUpdate(serial: 1, changes: changes))
        let query = try TestQuery("web.service.kong", .aaaa).octets
        let answer = responder.respond(to: query.rawSpan, overTCP: false) { $0.array }
        #expect(try TestReply(try #require(answer)).addresses == [.unique(1)])
    }

    @Test(arguments: RotationStrategyName.allCases)
    func `lists and blocks that nobody has any longer are freed`(_ strategy: RotationStrategyName) throws {
        struct Reference {
            weak let list: RecordList?
            weak let block: RecordBlock?
        }
        var model = Model(type: .srv)
        for number in 0..<1000 {
            let data = RecordData.service(priority: 0, weight: 1, port: 80, target: .ten(number))
            model.records[UInt64(number)] = Record(data)
        }
        var builder = try SnapshotBuilder([EngineConfiguration.test().zone], strategy: strategy)
        var references: [Reference] = []
        func apply(_ content: NameContent) throws {
            try builder.apply(ZoneUpdate(serial: 1, changes: [NameChange(name: "web", content: content)]))
            let list = builder.list(of: "web")
            references += (list?.blocks ?? []).map { Reference(list: list, block: $0) }
        }
        try apply(.changed([model.whole]))
        for step in 0..<100 {
            let before = model
            model.records[UInt64(step * 31 % 1000)] = nil
            try apply(.changed([model.change(from: before)]))
        }
        let blocks = try #require(builder.list(of: "web")).blocks.count
        #expect(Set(references.compactMap { $0.list.map(ObjectIdentifier.init) }).count == 1)
        #expect(Set(references.compactMap { $0.block.map(ObjectIdentifier.init) }).count == blocks)
        try apply(.absent)
        #expect(references.allSatisfy { $0.list == nil && $0.block == nil })
    }

    @Test func `an RRset that grows record by record leaves no more cells behind than it has`() throws {
        var builder = try SnapshotBuilder([EngineConfiguration.test().zone], strategy: .weighted)
        for number in 0..<2000 {
            let added = RecordChange(
                sequence: UInt64(number), record: Record(.address(.ten(number))), hasAdditional: true)
            let change = RRsetChange(type: .a, ttl: 5, isWhole: number == 0, records: [added])
            try builder.apply(
                ZoneUpdate(serial: 1, changes: [NameChange(name: "web", content: .changed([change]))]))
        }
        #expect(builder.snapshot.cellCount < 50 * 2000)
    }
}

extension Record {
    fileprivate var target: IPAddress? {
        if case .service(_, _, _, let target) = data { target } else { nil }
    }
}

extension SnapshotBuilder {
    /// The list of a name with many records.
    fileprivate func list(of name: String) -> RecordList? {
        let wire = [UInt8(name.utf8.count)] + name.utf8
        let hash = NameHash.hash(wire.rawSpan)
        let view = snapshot.zones[0].root.shard(for: hash).view
        guard let index = view.index(of: wire.rawSpan, hash: hash) else { return nil }
        return view.rrsets(of: view.names[index]).lazy.compactMap { view.ownedList(of: $0) }.first
    }
}
