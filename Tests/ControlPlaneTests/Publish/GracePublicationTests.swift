import Engine
import Testing

@testable import ControlPlane

/// Names whose last healthy instance has gone are failures for a while.
@Suite struct GracePublicationTests {
    private static func node(onEmpty: NameContent = .absent) -> PublishingNode {
        PublishingNode(RecordPolicy(onEmpty: onEmpty, emptyGrace: .seconds(30)))
    }

    /// The number of a service's instances: few, or so many that its records are kept.
    private static let sizes = [1, 3, 40]
    private static let names = ["orders", "_orders._tcp", "blue.orders"]
    private static let contents: [NameContent] = [.absent, .records([]), .failure]

    private func content(_ node: PublishingNode, _ name: String) -> NameContent { node.zone.content(name) ?? .absent }

    private func isAnswered(_ node: PublishingNode, _ name: String) -> Bool { content(node, name).isAnswered }

    @Test(arguments: sizes, contents)
    func `who deregisters leaves a failure, then nothing`(size: Int, onEmpty: NameContent) throws {
        var node = Self.node(onEmpty: onEmpty)
        for number in 1...UInt64(size) { node.put(.test(number, ip: "10.0.0.\(number)", tags: ["blue"])) }
        try node.publish()
        for number in 1...UInt64(size) {
            for name in Self.names { #expect(isAnswered(node, name)) }
            #expect(node.publisher.nextGraceEnd(now: node.clock.now) == nil)
            node.table.remove(id: "i\(number)")
            try node.publish()
        }
        for name in Self.names { #expect(content(node, name) == .failure) }
        node.clock.advance(by: .milliseconds(29_999))
        try node.endGraces()
        for name in Self.names { #expect(content(node, name) == .failure) }
        node.clock.advance(by: .milliseconds(1))
        #expect(node.publisher.nextGraceEnd(now: node.clock.now) == node.clock.now.monotonic)
        try node.endGraces()
        // Without any registered instance it is no empty service, whatever is configured.
        #expect(node.zone.names.isEmpty)
        #expect(node.publisher.nextGraceEnd(now: node.clock.now) == nil)
    }

    @Test(arguments: sizes, contents)
    func `who drains leaves a failure, then what is configured`(size: Int, onEmpty: NameContent) throws {
        var node = Self.node(onEmpty: onEmpty)
        for number in 1...UInt64(size) { node.put(.test(number, ip: "10.0.0.\(number)", tags: ["blue"])) }
        try node.publish()
        for number in 1...UInt64(size) {
            node.put(.test(number, ip: "10.0.0.\(number)", tags: ["blue"], draining: true))
        }
        try node.publish()
        for name in Self.names { #expect(content(node, name) == .failure) }
        // A draining instance arrives: still none is healthy, and no new grace time begins.
        node.clock.advance(by: .seconds(10))
        node.put(.test(500, ip: "10.0.1.1", tags: ["blue"], draining: true))
        try node.publish()
        for name in Self.names { #expect(content(node, name) == .failure) }
        node.clock.advance(by: .seconds(20))
        try node.endGraces()
        for name in Self.names { #expect(content(node, name) == onEmpty) }
        // It stays so when the last of them goes.
        for number in 1...UInt64(size) { node.table.remove(id: "i\(number)") }
        node.table.remove(id: "i500")
        try node.publish()
        #expect(node.zone.names.isEmpty)
    }

    @Test(arguments: sizes)
    func `who comes meanwhile ends it`(size: Int) throws {
        var node = Self.node()
        for _ in 0..<3 {
            for number in 1...UInt64(size) { node.put(.test(number, ip: "10.0.0.\(number)", tags: ["blue"])) }
            try node.publish()
            for name in Self.names { #expect(isAnswered(node, name)) }
            // The end of the previous grace time does not end the next one.
            node.clock.advance(by: .seconds(20))
            try node.endGraces()
            for name in Self.names { #expect(isAnswered(node, name)) }
            for number in 1...UInt64(size) { node.table.remove(id: "i\(number)") }
            try node.publish()
            node.clock.advance(by: .seconds(20))
            try node.endGraces()
            for name in Self.names { #expect(content(node, name) == .failure) }
        }
    }

    @Test(arguments: sizes)
    func `each name has its own time`(size: Int) throws {
        var node = Self.node()
        for number in 1...UInt64(size) { node.put(.test(number, ip: "10.0.0.\(number)")) }
        node.put(.test(900, ip: "10.0.9.1", transport: .udp, tags: ["blue"]))
        try node.publish()
        node.table.remove(id: "i900")
        try node.publish()
        #expect(isAnswered(node, "orders") && isAnswered(node, "_orders._tcp"))
        #expect(content(node, "blue.orders") == .failure && content(node, "_orders._udp") == .failure)
        node.clock.advance(by: .seconds(20))
        for number in 1...UInt64(size) { node.table.remove(id: "i\(number)") }
        try node.publish()
        node.clock.advance(by: .seconds(10))
        try node.endGraces()
        #expect(node.zone.names == ["orders", "_orders._tcp"])
        node.clock.advance(by: .seconds(20))
        try node.endGraces()
        #expect(node.zone.names.isEmpty)
    }

    @Test func `a name that nobody ever was healthy under has no time`() throws {
        var node = Self.node(onEmpty: .records([]))
        node.put(.test(1, tags: ["blue"], draining: true))
        try node.publish()
        for name in Self.names { #expect(content(node, name) == .records([])) }
        // As after a start: it is unknown which instances left before.
        try node.publish(services: ["orders"])
        for name in Self.names { #expect(content(node, name) == .records([])) }
        #expect(node.publisher.nextGraceEnd(now: node.clock.now) == nil)
    }

    @Test func `an instance that moves leaves its old names behind for a while`() throws {
        var node = Self.node()
        node.put(.test(1, tags: ["blue"]))
        try node.publish()
        node.put(.test(1, name: "users", tags: ["green"]))
        try node.publish()
        #expect(isAnswered(node, "users") && isAnswered(node, "green.users"))
        for name in Self.names { #expect(content(node, name) == .failure) }
    }

    @Test(arguments: sizes)
    func `a tag that is taken away leaves its name behind for a while`(size: Int) throws {
        var node = Self.node()
        for number in 1...UInt64(size) { node.put(.test(number, ip: "10.0.0.\(number)", tags: ["blue"])) }
        try node.publish()
        for number in 1...UInt64(size) { node.put(.test(number, ip: "10.0.0.\(number)", tags: ["green"])) }
        try node.publish()
        for name in ["orders", "_orders._tcp", "green.orders"] { #expect(isAnswered(node, name)) }
        #expect(content(node, "blue.orders") == .failure)
        node.clock.advance(by: .seconds(30))
        try node.endGraces()
        #expect(node.zone.names == ["orders", "_orders._tcp", "green.orders"])
    }

    @Test func `a zone that takes nothing for a while forgets nothing and keeps nothing`() throws {
        var node = Self.node()
        for number in 1...40 as ClosedRange<UInt64> { node.put(.test(number, ip: "10.0.0.\(number)", tags: ["blue"])) }
        node.put(.test(100, name: "users"))
        try node.publish()
        for number in 1...40 as ClosedRange<UInt64> { node.table.remove(id: "i\(number)") }
        node.table.remove(id: "i100")
        node.zone.reject("orders")
        #expect(throws: EngineError.self) { try node.publish() }
        node.zone.reject("")
        try node.publish(services: ["orders", "users"])
        for name in Self.names + ["users", "_users._tcp"] { #expect(content(node, name) == .failure) }
        node.clock.advance(by: .seconds(30))
        node.zone.reject("blue.orders")
        #expect(throws: EngineError.self) { try node.endGraces() }
        node.zone.reject("")
        try node.publish(services: node.publisher.uncertainServices)
        try node.endGraces()
        #expect(node.zone.names.isEmpty)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `any sequence of changes: a failure for whom it is short, else as without`(seed: UInt64) throws {
        var random = Numbers(seed)
        var node = Self.node(onEmpty: .records([]))
        /// The last time each name was answered.
        var lastAnswered: [String: ContinuousClock.Instant] = [:]
        var known: Set<String> = []
        for step in 0..<400 {
            // Grows beyond the limit from which records are kept, and shrinks to nothing.
            let goal = [60, 0, 5, 45, 2, 0][step / 20 % 6]
            for _ in 0..<(1 + random.next(12)) {
                let number = UInt64(1 + random.next(60))
                if node.table.count < goal {
                    var instance = ServiceInstance.test(number, ip: "10.0.0.\(1 + random.next(50))")
                    instance.isDraining = random.next(3) == 0
                    instance.transport = random.next(3) == 0 ? .udp : .tcp
                    instance.tags = ["blue", "green"].filter { _ in random.next(3) == 0 }
                    node.put(instance)
                } else {
                    node.table.remove(id: "i\(number)")
                }
            }
            if random.next(4) == 0 { _ = node.table.journal.take(); try node.publish(services: ["orders"]) }
            try node.publish()
            node.clock.advance(by: .seconds(random.next(12)))
            try node.endGraces()
            let now = node.clock.now.monotonic
            var expected: [String: NameContent] = [:]
            let instances = node.table.all(ofService: "orders").map { PublishedInstance($0) }
            for change in ServiceRecords.changes(service: "orders", instances: instances, policy: node.policy) {
                expected[change.name] = change.content
            }
            known.formUnion(expected.keys)
            for name in known {
                let content = content(node, name)
                let plain = expected[name] ?? .absent
                if plain.isAnswered {
                    lastAnswered[name] = now
                    #expect(content == plain, "\(name) at step \(step)")
                } else if content != plain {
                    // It was answered at the previous look, and its instances left right after that.
                    let last = try #require(lastAnswered[name], "\(name) at step \(step)")
                    #expect(content == .failure && now - last < .seconds(30), "\(name) at step \(step)")
                } else {
                    #expect(lastAnswered[name].map { now - $0 >= .seconds(30) } ?? true, "\(name) at step \(step)")
                }
            }
        }
    }
}

extension PublishingNode {
    /// Does what is due by now.
    fileprivate mutating func endGraces() throws {
        while try publisher.endGraces(now: clock.now, limit: 3) > 0 {}
    }
}
