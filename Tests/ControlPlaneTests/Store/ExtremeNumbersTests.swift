import GRDB
import Testing

@testable import ControlPlane

extension StorageTests {
    /// Whatever numbers are stored, nothing traps, what is accepted can be listed, and later registrations are kept.
    @Suite struct ExtremeNumbersTests {
        static let extremes: [Int] = [
            .min, .min + 1, -253_402_300_800_000, -1, 0, 1, 65_535, 65_536, 86_400, 86_401, Int(Int32.max),
            Int(Int32.max) + 1, Int(UInt32.max) + 1, 1 << 41, 253_402_300_799_999, 253_402_300_800_000, 1 << 53,
            1 << 62 - 1,
            1 << 62, 3 << 61 - 1, 3 << 61, .max - 1, .max,
        ]

        /// The values that columns may have. A number that can't be a sequence number is replaced by another one.
        private static let valid: [String: ClosedRange<Int>] = [
            "port": 1...65_535, "weight": 0...65_535, "priority": 0...65_535, "ttl": 0...Int(Int32.max),
            "dns_ttl": 1...86_400, "draining": 0...1, "registered_at_milliseconds": 0...253_402_300_799_999,
        ]

        private let clock = TestClock()

        /// Does everything that is done with an instance that was read, and with its neighbours.
        private func use(_ table: inout InstanceTable) throws {
            let page = table.page(after: nil, limit: 1000, scanLimit: 1000, filter: InstanceFilter())
            #expect(page.instances.count == table.count)
            #expect(Set(page.instances.map(\.instance.sequence)).count == table.count)
            var writer = JSONWriter()
            writer.beginArray()
            for registered in page.instances { writer.instance(registered) }
            writer.endArray()
            _ = try JSONParser.parse(writer.octets)
            _ = ListQuery.cursor(after: page.lastSequence ?? 0)
            _ = table.renew(id: "i1", now: clock.now)
            _ = table.removeExpired(at: clock.now.monotonic, limit: 100)
        }

        /// Registers some after those that are there, and reads all again.
        private func surviveRestart(_ table: InstanceTable, comment: Comment) throws {
            var table = table
            var plan = CommitPlan(nextSequence: table.nextSequence)
            for number in 0..<3 {
                plan.add(.register(.test("new\(number)", ip: "10.1.0.\(number)")), now: clock.now, table: table)
            }
            for case .register(let instance, _) in plan.changes {
                table.put(instance, lease: Lease(ttlSeconds: instance.ttlSeconds, now: clock.now))
            }
            try use(&table)
            var reread = InstanceTable()
            for registered in table.page(after: nil, limit: 100, scanLimit: 100, filter: InstanceFilter()).instances {
                let instance = try StoredInstance.decode(StoredInstance.encode(registered.instance))
                reread.put(instance, lease: registered.lease)
            }
            #expect(reread.count == table.count, comment)
            try use(&reread)
        }

        @Test func `every number of a stored text may be anything`() throws {
            let octets = StoredInstance.encode(.test(1))
            guard case .object(let members) = try JSONParser.parse(octets) else { return }
            let numbers = members.indices.filter { if case .integer = members[$0].value { true } else { false } }
            #expect(numbers.count == 7)
            for index in numbers {
                for extreme in Self.extremes {
                    let text = String(decoding: octets, as: UTF8.self)
                    guard case .integer(let old) = members[index].value else { continue }
                    let name = members[index].name
                    let changed = text.replacing("\"\(name)\":\(old)", with: "\"\(name)\":\(extreme)")
                    guard let instance = try? StoredInstance.decode(Array(changed.utf8)) else { continue }
                    var table = InstanceTable([instance, .test(5)], now: clock.now)
                    #expect(table.count == 2)
                    try use(&table)
                    try surviveRestart(table, comment: "\(name) \(extreme)")
                }
            }
        }

        @Test func `numbers that can't be are refused in a stored text`() {
            func isTaken(_ name: String, _ from: String, _ value: String) -> Bool {
                let text = String(decoding: StoredInstance.encode(.test(1)), as: UTF8.self)
                let changed = text.replacing("\"\(name)\":\(from)", with: "\"\(name)\":\(value)")
                return (try? StoredInstance.decode(Array(changed.utf8))) != nil
            }
            #expect(isTaken("registered_at_milliseconds", "0", "253402300799999"))
            #expect(!isTaken("registered_at_milliseconds", "0", "253402300800000"))
            #expect(!isTaken("registered_at_milliseconds", "0", "-1"))
            #expect(!isTaken("registered_at_milliseconds", "0", "1e300"))
            #expect(!isTaken("sequence", "1", "-1"))
            #expect(isTaken("dns_ttl", "5", "86400"))
            #expect(!isTaken("dns_ttl", "5", "86401"))
            #expect(!isTaken("ttl", "30", "2147483648"))
        }

        @Test func `every number of a row may be anything, and hides no other row`() async throws {
            let fixture = try StoreFixture(.sqlite)
            let columns = [
                "sequence", "port", "weight", "priority", "ttl", "dns_ttl", "draining", "registered_at_milliseconds",
            ]
            for column in columns {
                for extreme in Self.extremes {
                    var store = try await fixture.open(clock.source)
                    let page = store.list(after: nil, limit: 100, filter: InstanceFilter())
                    _ = await store.keeps(page.instances.map { .deregister(id: $0.instance.id) }, clock.source)
                    #expect(await store.keeps([.register(.test(1)), .register(.test(2))], clock.source).count == 2)
                    await store.close()
                    let queue = try DatabaseQueue(path: fixture.databasePath)
                    try await queue.write {
                        try $0.execute(sql: "UPDATE instance SET \(column) = \(extreme) WHERE id = 'i1'")
                    }
                    try queue.close()

                    store = try await fixture.open(clock.source)
                    try store.view.withTable { table in Result { try use(&table) } }.get()
                    let before = store.list(after: nil, limit: 100, filter: InstanceFilter()).instances.map(\.instance)
                    #expect(before.contains { $0.id == "i2" }, "\(column) \(extreme)")
                    let isTaken = Self.valid[column].map { $0.contains(extreme) } ?? true
                    #expect(before.contains { $0.id == "i1" } == isTaken, "\(column) \(extreme)")
                    var added: [ServiceInstance] = []
                    for number in 0..<3 {
                        var instance = ServiceInstance.test(store.nextSequence(now: clock.now))
                        instance.id = "new\(number)"
                        added.append(instance)
                        #expect(await store.keeps([.register(instance)], clock.source).first??.instance == instance)
                    }
                    await store.close()

                    store = try await fixture.open(clock.source)
                    let after = store.list(after: nil, limit: 100, filter: InstanceFilter()).instances.map(\.instance)
                    #expect(after == before + added, "\(column) \(extreme)")
                    await store.close()
                }
            }
        }

        @Test func `a row with an id that is there twice, or no usable number, gets a place of its own`() async throws {
            let fixture = try StoreFixture(.sqlite)
            var store = try await fixture.open(clock.source)
            _ = await store.keeps([.register(.test(1)), .register(.test(2)), .register(.test(3))], clock.source)
            await store.close()
            let queue = try DatabaseQueue(path: fixture.databasePath)
            try await queue.write { database in
                try database.execute(sql: "UPDATE instance SET sequence = \(Int64.max) WHERE id = 'i1'")
                try database.execute(sql: "UPDATE instance SET id = 'i2', weight = 9 WHERE id = 'i3'")
            }
            store = try await fixture.open(clock.source)
            #expect(
                store.list(after: nil, limit: 9, filter: InstanceFilter()).instances.map(\.instance.id) == ["i2", "i1"])
            let keys = try await queue.read {
                try Int64.fetchAll($0, sql: "SELECT sequence FROM instance ORDER BY sequence")
            }
            #expect(keys == [2, 3])
            // It can also leave for good.
            _ = await store.keeps([.deregister(id: "i1"), .deregister(id: "i2")], clock.source)
            await store.close()
            #expect(try await queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM instance") } == 0)
        }

        @Test func `a missing column value is no instance, and no trap`() async throws {
            let fixture = try StoreFixture(.sqlite)
            var store = try await fixture.open(clock.source)
            _ = await store.keeps([.register(.test(1)), .register(.test(2))], clock.source)
            await store.close()
            let queue = try DatabaseQueue(path: fixture.databasePath)
            let columns = InstanceRow.selection.split(separator: " FROM")[0].dropFirst(7).split(separator: ", ")
            #expect(columns.count == 18)
            try await queue.write { database in
                // As in a damaged page, whatever the table's definition says.
                let list = columns.joined(separator: ", ")
                try database.execute(sql: "CREATE TABLE loose AS SELECT \(list) FROM instance")
                try database.execute(sql: "DROP TABLE instance; ALTER TABLE loose RENAME TO instance")
            }
            for column in columns.dropFirst() where !["tags", "metadata", "id_origin"].contains(column) {
                for value in ["NULL", "x'ff'", "'text'", "1e300"] {
                    try await queue.write { database in
                        try database.execute(sql: "UPDATE instance SET \(column) = \(value) WHERE sequence = 1")
                    }
                    store = try await fixture.open(clock.source)
                    #expect(store.instance(id: "i2") != nil)
                    try store.view.withTable { table in Result { try use(&table) } }.get()
                    await store.close()
                    try await queue.write { database in
                        try database.execute(
                            sql: "UPDATE instance SET \(column) = (SELECT \(column) FROM instance WHERE id = 'i2')")
                        try database.execute(sql: "UPDATE instance SET id = 'i1' WHERE sequence = 1")
                    }
                }
            }
        }

        @Test(arguments: extremes) func `a snapshot may say of any time that it is from then`(extreme: Int) throws {
            let path = try TemporaryFile(
                """
                {"version":1,"identity":"x","saved_at_milliseconds":\(extreme)}
                \(String(decoding: StoredInstance.encode(.test(1)), as: UTF8.self))

                """)
            let contents = try? EtcdSnapshot(DiskFile(path: path.path)).load()
            #expect((contents != nil) == (0...WallTime.last.millisecondsSince1970).contains(Int64(extreme)))
            if let contents { _ = CalendarTime(contents.savedAt).rfc3339 }
        }

        @Test(arguments: extremes) func `every time of day can be written, and goes on to no overflow`(extreme: Int) {
            let time = WallTime(millisecondsSince1970: Int64(extreme))
            #expect(CalendarTime(time).rfc3339.count == 24)
            #expect(CalendarTime(time).httpDate.count == 29 || extreme < 0)
            for seconds in Self.extremes {
                _ = CalendarTime(time.advanced(bySeconds: seconds)).rfc3339
                let lease = Lease(ttlSeconds: seconds, now: Moment(monotonic: clock.now.monotonic, wall: time))
                _ = lease.expiresAt.map { CalendarTime($0).rfc3339 }
                _ = Duration.seconds(seconds).milliseconds
                _ = Duration.seconds(seconds).wholeSeconds
            }
        }

        @Test func `a time beyond what can be written is the last that can`() {
            let text = String(decoding: CalendarTime(WallTime(millisecondsSince1970: .max)).rfc3339, as: UTF8.self)
            #expect(text == "9999-12-31T23:59:59.999Z")
            #expect(WallTime(millisecondsSince1970: 5).advanced(bySeconds: .max).millisecondsSince1970 == .max)
            #expect(WallTime(millisecondsSince1970: -5).advanced(bySeconds: .min).millisecondsSince1970 == .min)
            #expect(WallTime(checking: -1) == nil && WallTime(checking: 253_402_300_800_000) == nil)
        }
    }
}
