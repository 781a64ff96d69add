import Engine
import Testing

@testable import ControlPlane

/// The kept state of services with many instances gives the same answers as records made from all instances.
@Suite struct LargeServiceTests {
    private static let services = ["orders", "users"]

    /// An instance with random values for everything that matters; many share an address, or an address and a port.
    private static func randomInstance(_ number: UInt64, using random: inout Numbers) -> ServiceInstance {
        var instance = ServiceInstance.test(number, name: random.pick(services.dropLast(random.next(4) == 0 ? 0 : 1)))
        let host = random.next(random.next(3) == 0 ? 4 : 200)
        instance.address = random.next(4) == 0 ? .v6(0xFD00 << 48, UInt64(host)) : .v4(0x0A00_0000 + UInt32(host))
        instance.port = UInt16(80 + random.next(3))
        instance.transport = random.next(4) == 0 ? .udp : .tcp
        instance.weight = random.pick([100, 100, 100, 50, 0, 7])
        instance.priority = random.pick([0, 0, 0, 0, 0, 0, 3, 1])
        instance.dnsTTL = random.pick([5, 5, 5, 5, 9, 3])
        instance.isDraining = random.next(6) == 0
        instance.tags = ["eu", "v1", "v2", "rare"].filter { _ in random.next(3) > 0 }
        if random.next(10) > 0 { instance.tags.removeAll { $0 == "rare" } }
        return instance
    }

    @Test(arguments: [NameContent.absent, .records([]), .failure], [true, false])
    func `any sequence of changes gives the records that all instances give`(
        onEmpty: NameContent, isLowestPriorityOnly: Bool
    ) throws {
        var random = Numbers(isLowestPriorityOnly ? 1 : 2)
        var registry = PublishingNode(RecordPolicy(onEmpty: onEmpty, isLowestPriorityOnly: isLowestPriorityOnly))
        var ids: [UInt64] = []
        var next: UInt64 = 0
        for step in 0..<300 {
            // Up to 200 instances, then few, then none, then many again.
            let goal = [200, 200, 40, 100, 0, 150][step / 50]
            for _ in 0...random.next(8) {
                switch random.next(4) {
                case 0 where !ids.isEmpty:
                    // The same instance with other values, or in another service.
                    registry.put(Self.randomInstance(random.pick(ids), using: &random))
                case 1 where !ids.isEmpty:
                    let id = random.pick(ids)
                    guard var known = registry.table.instance(id: "i\(id)")?.instance else { continue }
                    switch random.next(5) {
                    case 0: known.weight = UInt16(random.next(4) * 50)
                    case 1: known.priority = UInt16(random.next(3))
                    case 2: known.isDraining.toggle()
                    case 3: known.tags = known.tags.isEmpty ? ["eu"] : []
                    default: known.metadata = [MetadataEntry(key: "k", value: "\(step)")]
                    }
                    registry.put(known)
                default:
                    if ids.count < goal {
                        next += 1
                        ids.append(next)
                        registry.put(Self.randomInstance(next, using: &random))
                    } else if !ids.isEmpty {
                        registry.table.remove(id: "i\(ids.remove(at: random.next(ids.count)))")
                    }
                }
            }
            // Now and then all instances leave their priority group or come back.
            if random.next(10) == 0 {
                let priority = UInt16(random.next(3))
                for id in ids.dropFirst(random.next(3)) {
                    guard var known = registry.table.instance(id: "i\(id)")?.instance else { continue }
                    known.priority = priority
                    registry.put(known)
                }
            }
            // Now and then the zone refuses an update: the next change must bring what was missed.
            if random.next(20) == 0 {
                registry.zone.reject("orders")
                try? registry.publish()
                registry.zone.reject("")
                for service in Self.services {
                    registry.put(.test(1_000_000, name: service))
                    registry.table.remove(id: "i1000000")
                }
            }
            try registry.publish()
            registry.expectZone(Self.services, "at step \(step)")
        }
    }

    @Test(arguments: RotationStrategyName.allCases)
    func `the engine answers octet by octet as if all had been published at once`(
        _ strategy: RotationStrategyName
    ) throws {
        var random = Numbers(UInt64(strategy.rawValue.utf8.count))
        var registry = PublishingNode(RecordPolicy())
        var zone = try Self.responder(strategy)
        for number in 1...150 as ClosedRange<UInt64> { registry.put(Self.randomInstance(number, using: &random)) }
        var published = 0
        for step in 0..<30 {
            try registry.publish()
            for update in registry.zone.updates[published...] { try zone.publish(update) }
            published = registry.zone.updates.count
            // Made from all instances, by code that keeps nothing.
            let whole = Self.services.flatMap { service in
                ServiceRecords.changes(
                    service: service,
                    instances: registry.table.all(ofService: service).map { PublishedInstance($0) },
                    policy: RecordPolicy())
            }
            var anew = try Self.responder(.roundRobin)
            try anew.publish(ZoneUpdate(serial: UInt32(registry.clock.now.wall.secondsSince1970), changes: whole))
            for name in ["orders", "users", "_orders._tcp", "_users._udp", "v1.orders", "rare.orders", "none.orders"] {
                for type in [RecordType.a, .aaaa, .srv] {
                    for isTCP in [true, false] {
                        let query = Self.query("\(name).service.kong", type)
                        let answer = Self.answer(&zone, query, isTCP)
                        // Both rotate, and began at different places.
                        var isSame = false
                        for _ in 0..<300 where !isSame { isSame = Self.answer(&anew, query, isTCP) == answer }
                        #expect(isSame, "\(name) \(type) at step \(step)")
                    }
                }
            }
            for _ in 0...random.next(4) {
                registry.put(Self.randomInstance(UInt64(1 + random.next(170)), using: &random))
                registry.table.remove(id: "i\(1 + random.next(170))")
            }
        }
    }

    private static func responder(_ strategy: RotationStrategyName) throws -> InProcessResponder {
        try InProcessResponder(
            EngineConfiguration(
                listen: [], workers: 1, udpPayload: 1232, strategy: strategy,
                zone: ZoneConfiguration(
                    origin: "service.kong", ttl: 60, negativeTTL: 3, nameServerAddresses: [.v4(0x7F00_0001)]),
                version: ""))
    }

    private static func query(_ name: String, _ type: RecordType) -> [UInt8] {
        var octets: [UInt8] = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in name.split(separator: ".") { octets += [UInt8(label.utf8.count)] + label.utf8 }
        return octets + [0, 0, UInt8(type.rawValue), 0, 1]
    }

    private static func answer(_ responder: inout InProcessResponder, _ query: [UInt8], _ isTCP: Bool) -> [UInt8]? {
        // Unsafe only for types with padding; octets have none.
        responder.respond(to: unsafe query.span.bytes, overTCP: isTCP) { reply in
            (0..<reply.byteCount).map { unsafe reply.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
    }

    @Test func `when another priority group is the best one its records are answered, and no others`() throws {
        var registry = PublishingNode(RecordPolicy())
        for number in 1...100 as ClosedRange<UInt64> {
            registry.put(.test(number, ip: "10.0.0.\(number)", priority: 5))
        }
        try registry.publish()
        #expect(registry.zone.addresses("orders").count == 100)
        registry.put(.test(101, ip: "10.0.1.1", priority: 3))
        try registry.publish()
        #expect(registry.zone.addresses("orders") == ["10.0.1.1"])
        registry.expectZone(["orders"], "with a better one")
        registry.put(.test(101, ip: "10.0.1.1", priority: 3, draining: true))
        registry.put(.test(50, ip: "10.0.0.50", priority: 6))
        try registry.publish()
        #expect(registry.zone.addresses("orders").count == 99)
        registry.expectZone(["orders"], "without it")
    }

    @Test func `a name that has few instances again has them in the order of their registration`() throws {
        var registry = PublishingNode(RecordPolicy())
        for number in 1...100 as ClosedRange<UInt64> {
            registry.put(
                .test(
                    number, ip: "10.0.0.\(number)", tags: number <= 40 ? ["v1"] : [], priority: number % 3 == 0 ? 1 : 0,
                    draining: number == 40))
        }
        try registry.publish()
        for number in 1...26 as ClosedRange<UInt64> { registry.put(.test(number, ip: "10.0.0.\(number)")) }
        try registry.publish()
        registry.expectZone(["orders"], "with 14 of a tag")
        // The last of them comes back, and another one goes.
        registry.put(.test(40, ip: "10.0.0.40", tags: ["v1"]))
        registry.put(.test(28, ip: "10.0.0.28", tags: ["v1"], draining: true))
        try registry.publish()
        #expect(registry.zone.addresses("v1.orders").last == "10.0.0.40")
        registry.expectZone(["orders"], "with others of the tag")
    }

    @Test(arguments: [NameContent.absent, .records([]), .failure])
    func `of many instances of which none is healthy a name answers as of few`(onEmpty: NameContent) throws {
        var registry = PublishingNode(RecordPolicy(onEmpty: onEmpty))
        // As after a restart: all at once.
        for number in 1...100 as ClosedRange<UInt64> {
            registry.put(.test(number, ip: "10.0.0.\(number)", tags: number <= 20 ? ["v1"] : [], draining: number > 20))
        }
        for number in 101...140 as ClosedRange<UInt64> { registry.put(.test(number, name: "users", draining: true)) }
        try registry.publish()
        #expect(registry.zone.addresses("v1.orders").count == 20)
        registry.expectZone(Self.services, "at first")
        // A name gets many instances and loses its last healthy one in one update.
        for number in 1...60 as ClosedRange<UInt64> {
            registry.put(.test(number, ip: "10.0.0.\(number)", tags: ["v1"], draining: true))
        }
        try registry.publish()
        #expect(registry.zone.addresses("v1.orders").isEmpty)
        registry.expectZone(Self.services, "without a healthy one")
    }

    // MARK: Work in proportion to the change

    /// The number of records in the updates since `start`.
    private func recordCount(_ zone: TestZone, from start: Int) -> Int {
        zone.updates[start...].flatMap(\.changes).reduce(0) { sum, change in
            switch change.content {
            case .changed(let sets): sum + sets.reduce(0) { $0 + $1.records.count }
            case .records(let sets): sum + sets.reduce(0) { $0 + $1.records.count }
            case .absent, .failure: sum
            }
        }
    }

    @Test func `a change of one of many instances tells of its own records alone`() throws {
        var registry = PublishingNode(RecordPolicy())
        let tags = (0..<64).map { "tag\($0)" }
        for number in 1...1000 {
            registry.put(.test(UInt64(number), ip: "10.0.\(number / 250).\(number % 250)", tags: tags))
        }
        try registry.publish()
        func records(_ change: (inout ServiceInstance) -> Void) throws -> Int {
            var instance = try #require(registry.table.instance(id: "i500")?.instance)
            change(&instance)
            let start = registry.zone.updates.count
            registry.put(instance)
            try registry.publish()
            registry.expectZone(["orders"], "after a change")
            return recordCount(registry.zone, from: start)
        }
        // A and SRV for 65 names, SRV for one.
        #expect(try records { $0.weight = 50 } == 131)
        #expect(try records { $0.isDraining = true } == 131)
        #expect(try records { $0.isDraining = false } == 131)
        #expect(try records { $0.dnsTTL = 1 } == 0)
        #expect(try records { $0.priority = 1 } == 131)
        #expect(try records { $0.priority = 0 } == 131)
        #expect(try records { $0.address = .v4(1) } == 131)
        #expect(try records { $0.port = 81 } == 66)
        #expect(try records { $0.tags.removeFirst() } == 2)
        #expect(try records { $0.tags.append("other") } == 2)
        #expect(try records { $0.metadata = [] } == 0)
        let start = registry.zone.updates.count
        registry.table.remove(id: "i500")
        try registry.publish()
        // The name of the tag that only this instance had is gone.
        #expect(recordCount(registry.zone, from: start) == 129)
        registry.expectZone(["orders"], "after the end")
    }
}

/// SplitMix64: random numbers that are the same in every run.
struct Numbers {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    /// 0..<`limit`.
    mutating func next(_ limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) >> 33) % limit
    }

    mutating func pick<Element>(_ elements: some RandomAccessCollection<Element>) -> Element {
        elements[elements.index(elements.startIndex, offsetBy: next(elements.count))]
    }
}
