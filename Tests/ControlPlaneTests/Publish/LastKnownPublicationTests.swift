import Engine
import Testing

@testable import ControlPlane

/// Names without a healthy instance answer those that they had last.
@Suite struct LastKnownPublicationTests {
    /// The number of a service's instances: few, or so many that its records are kept.
    private static let sizes = [1, 3, 40, 300]
    private static let names = ["orders", "_orders._tcp", "blue.orders"]

    private static func node(grace: Duration = .zero) -> PublishingNode {
        PublishingNode(RecordPolicy(answersLastKnown: true, emptyGrace: grace))
    }

    private static func instance(_ number: UInt64, draining: Bool = false) -> ServiceInstance {
        var instance = ServiceInstance.test(
            number, ip: "10.0.\(number / 200).\(number % 200)", tags: ["blue"], checks: [.test("web")],
            draining: draining)
        // Both families, so that each type has records.
        if number % 3 == 2 { instance.address = .v6(0xFD00 << 48, number) }
        return instance
    }

    private static func full(_ size: Int, grace: Duration = .zero) throws -> (PublishingNode, [String: NameContent]) {
        var node = node(grace: grace)
        for number in 1...UInt64(size) { node.put(instance(number)) }
        try node.publish()
        return (node, contents(node))
    }

    private static func contents(_ node: PublishingNode) -> [String: NameContent] {
        var contents: [String: NameContent] = [:]
        for name in node.zone.names { contents[name] = node.zone.content(name) }
        return contents
    }

    private func contents(_ node: PublishingNode) -> [String: NameContent] { Self.contents(node) }

    @Test(arguments: sizes)
    func `after the grace time names answer as before, and an hour after the last one left they are gone`(size: Int)
        throws
    {
        var (node, before) = try Self.full(size, grace: .seconds(30))
        #expect(Set(before.keys) == Set(Self.names))
        for number in 1...UInt64(size) {
            if number % 2 == 0 { node.expire(number) } else { node.fail(number) }
        }
        try node.publish()
        #expect(contents(node).values.allSatisfy { $0 == .failure } && node.zone.names.count == 3)
        node.clock.advance(by: .seconds(30))
        try node.endGraces()
        #expect(contents(node) == before)
        #expect(node.publisher.takeTurns().map(\.nameCount) == [3] && node.publisher.lastKnown.answeredCount == 3)
        // Those that are still registered expire, too: they stay known.
        for number in 1...UInt64(size) { node.expire(number) }
        try node.publish()
        #expect(contents(node) == before && node.table.count == 0)
        node.clock.advance(by: LastKnown.duration - .seconds(30) - .nanoseconds(1))
        try node.endGraces()
        #expect(contents(node) == before)
        node.clock.advance(by: .nanoseconds(1))
        try node.endGraces()
        #expect(node.zone.names.isEmpty && node.publisher.lastKnown.isEmpty)
        #expect(node.publisher.takeTurns() == [LastKnownTurn(service: "orders", end: .time, nameCount: 3)])
        #expect(node.publisher.lastKnown.answeredCount == 0 && node.publisher.nextGraceEnd(now: node.clock.now) == nil)
    }

    @Test(arguments: sizes)
    func `without a grace time no answer is ever empty, and the first healthy instance ends it`(size: Int) throws {
        var (node, before) = try Self.full(size)
        for number in 1...UInt64(size) { node.fail(number) }
        try node.publish()
        #expect(contents(node) == before)
        // Nothing is left of what they have answered: nor of types that the one who comes has no record of.
        node.put(.test(900, ip: "10.9.0.1", tags: ["blue"]))
        try node.publish()
        for name in Self.names {
            let healthy = [PublishedInstance(RegisteredInstance(.test(900, ip: "10.9.0.1", tags: ["blue"])))]
            let content = ServiceRecords.content(of: healthy, node.policy, addresses: name != "_orders._tcp")
            #expect(node.zone.content(name) == content, "\(name)")
        }
        // It goes an hour later: alone, as the others went long before.
        node.clock.advance(by: .seconds(3600))
        node.expire(900)
        try node.publish()
        #expect(node.zone.addresses("orders") == ["10.9.0.1"])
        // All others come back.
        for number in 1...UInt64(size) { node.recover(number) }
        try node.publish()
        #expect(contents(node) == before && node.publisher.lastKnown.answeredCount == 0)
    }

    @Test(arguments: sizes) func `who is taken out by request is not answered, and after the last the name is gone`(
        size: Int
    )
        throws
    {
        for isGraceOver in [false, true] {
            for isDrained in [false, true] {
                var (node, _) = try Self.full(size, grace: .seconds(30))
                for number in 1...UInt64(size) { node.fail(number) }
                try node.publish()
                if isGraceOver {
                    node.clock.advance(by: .seconds(30))
                    try node.endGraces()
                }
                for number in 1...UInt64(size) {
                    if number < 4 || number % 50 == 0 { try node.publish() }
                    if isGraceOver {
                        let left = (number...UInt64(size)).map { Self.instance($0) }
                        if number < 4 { node.expectAddresses(left) }
                    }
                    if isDrained {
                        node.put(Self.instance(number, draining: true))
                    } else {
                        node.table.remove(id: "i\(number)")
                    }
                }
                try node.publish()
                if !isGraceOver {
                    #expect(node.zone.content("orders") == .failure)
                    node.clock.advance(by: .seconds(30))
                    try node.endGraces()
                }
                #expect(node.zone.names.isEmpty && node.publisher.lastKnown.answeredCount == 0)
                #expect(!isGraceOver || node.publisher.turns.last?.end == .withdrawn)
            }
        }
    }

    @Test(arguments: sizes) func `a service that was scaled to nothing before is gone`(size: Int) throws {
        for isDrained in [false, true] {
            var (node, _) = try Self.full(size)
            for number in 1...UInt64(size) {
                if isDrained {
                    node.put(Self.instance(number, draining: true))
                } else {
                    node.table.remove(id: "i\(number)")
                }
            }
            try node.publish()
            #expect(node.zone.names.isEmpty)
            // That drained ones expire makes no difference.
            for number in 1...UInt64(size) { node.expire(number) }
            try node.publish()
            #expect(node.zone.names.isEmpty && node.publisher.lastKnown.isEmpty)
        }
    }

    @Test func `of those that fail one after the other all are answered if that takes no longer than half a minute`()
        throws
    {
        var (node, before) = try Self.full(3)
        for number in 1...3 as ClosedRange<UInt64> {
            node.clock.advance(by: .seconds(10))
            if number == 2 { node.expire(number) } else { node.fail(number) }
            try node.publish()
        }
        #expect(contents(node) == before)
        for number in 1...3 as ClosedRange<UInt64> { node.recover(number) }
        try node.publish()
        for number in 1...3 as ClosedRange<UInt64> {
            node.clock.advance(by: .seconds(31))
            node.fail(number)
            try node.publish()
        }
        node.expectAddresses([Self.instance(3)])
    }

    @Test func `each name has its own`() throws {
        var node = Self.node()
        node.put(.test(1, ip: "10.0.0.1", tags: ["blue"]))
        node.put(.test(2, ip: "10.0.0.2", transport: .udp, checks: [.test("web")]))
        try node.publish()
        node.expire(1)
        try node.publish()
        #expect(node.zone.addresses("blue.orders") == ["10.0.0.1"] && node.zone.addresses("orders") == ["10.0.0.2"])
        #expect(node.zone.names == ["orders", "_orders._udp", "_orders._tcp", "blue.orders"])
        node.clock.advance(by: .seconds(1800))
        node.fail(2)
        try node.publish()
        #expect(node.zone.addresses("orders") == ["10.0.0.2"])
        node.clock.advance(by: .seconds(1800))
        try node.endGraces()
        #expect(node.zone.names == ["orders", "_orders._udp"])
        // Released: for an operator who knows better.
        #expect(node.publisher.endLastKnown(of: "orders", because: .released) == 1)
        try node.publishLastKnown()
        #expect(node.zone.names.isEmpty)
        // Whatever is published later, it stays released until one was healthy.
        try node.publish(services: ["orders"])
        node.put(.test(3, ip: "10.0.0.3", draining: true))
        try node.publish()
        #expect(node.zone.names.isEmpty)
        node.recover(2)
        try node.publish()
        node.fail(2)
        try node.publish()
        #expect(node.zone.addresses("orders") == ["10.0.0.2"])
    }

    @Test(arguments: sizes) func `after a start the critical ones are answered, and drained ones are not`(size: Int)
        throws
    {
        var node = Self.node(grace: .seconds(30))
        for number in 1...UInt64(size) {
            node.put(Self.instance(number))
            node.fail(number)
        }
        node.put(.test(900, ip: "10.9.0.1", draining: true))
        _ = node.table.journal.take()
        let table = node.table
        try node.publisher.publish(["orders"], isStart: true, now: node.clock.now) { table.all(ofService: $0) }
        node.expectAddresses((1...UInt64(size)).map { Self.instance($0) })
        node.clock.advance(by: .seconds(3600))
        try node.endGraces()
        #expect(node.zone.names.isEmpty)
        // One that begins as critical never was healthy.
        node.put(Self.instance(901))
        node.fail(901)
        try node.publish()
        #expect(node.zone.names.isEmpty)
    }

    @Test func `a policy begins and ends it while the service is empty`() throws {
        var node = PublishingNode(RecordPolicy(onEmpty: .records([])))
        node.put(Self.instance(1))
        node.put(Self.instance(3))
        try node.publish()
        node.fail(1)
        node.expire(3)
        try node.publish()
        #expect(node.zone.content("orders") == .records([]))
        for _ in 0..<2 {
            node.publisher.adopt(["orders": ServicePolicy(onEmpty: .lastKnown)])
            try node.publish(services: ["orders"])
            // What has expired before is not known.
            node.expectAddresses([Self.instance(1)])
            node.publisher.adopt(["orders": ServicePolicy(onEmpty: .lastKnown, dnsTTL: 60)])
            try node.publish(services: ["orders"])
            node.expectAddresses([Self.instance(1)])
            node.publisher.adopt(["orders": nil])
            try node.publish(services: ["orders"])
            for name in Self.names { #expect(node.zone.content(name) == .records([])) }
            #expect(!node.publisher.usesLastKnown)
        }
        // A name of which nothing is registered any more.
        node.publisher.adopt(["orders": ServicePolicy(onEmpty: .lastKnown)])
        try node.publish(services: ["orders"])
        node.expire(1)
        try node.publish()
        node.expectAddresses([Self.instance(1)])
        node.publisher.adopt(["orders": ServicePolicy(onEmpty: .serverFailure)])
        try node.publish(services: ["orders"])
        #expect(node.zone.names.isEmpty)
    }

    @Test func `a policy found at the start knows nothing of a service without instances`() throws {
        var node = PublishingNode(RecordPolicy())
        node.publisher.adopt(["orders": ServicePolicy(onEmpty: .lastKnown)], isStart: true)
        try node.publisher.publish([], isStart: true, now: node.clock.now) { _ in [] }
        // It has never been healthy.
        var instance = Self.instance(1)
        instance.checks = [Check(name: "web", kind: .http(HTTPCheck()), initial: .critical)]
        node.put(instance)
        try node.publish()
        #expect(node.zone.names.isEmpty && node.publisher.lastKnown.isEmpty)
    }

    @Test func `another policy holds for the last known ones of a service without instances too`() throws {
        var node = Self.node()
        for number in 1...3 as ClosedRange<UInt64> {
            var instance = Self.instance(number)
            instance.hasDefaultDNSTTL = true
            node.put(instance)
        }
        try node.publish()
        let before = contents(node)
        for number in 1...3 as ClosedRange<UInt64> { node.expire(number) }
        try node.publish()
        #expect(contents(node) == before)
        node.publisher.adopt(["orders": ServicePolicy(dnsTTL: 77)])
        try node.publish(services: ["orders"])
        #expect(node.zone.names == Set(Self.names) && contents(node) != before)
        node.publisher.adopt(["orders": nil])
        try node.publish(services: ["orders"])
        #expect(contents(node) == before)
    }

    @Test func `a protected service answers its critical ones first, and then the last known ones`() throws {
        var node = PublishingNode(RecordPolicy(answersLastKnown: true, protectThreshold: 0.5))
        for number in 1...3 as ClosedRange<UInt64> { node.put(Self.instance(number)) }
        try node.publish()
        let before = contents(node)
        for number in 1...3 as ClosedRange<UInt64> { node.fail(number) }
        try node.publish()
        #expect(contents(node) == before && node.publisher.lastKnown.answeredCount == 0)
        node.clock.advance(by: .seconds(600))
        for number in 1...3 as ClosedRange<UInt64> { node.expire(number) }
        try node.publish()
        #expect(contents(node) == before && node.publisher.lastKnown.answeredCount == 3)
        // The protection ends while all are critical.
        for number in 1...3 as ClosedRange<UInt64> { node.put(Self.instance(number)) }
        try node.publish()
        for number in 1...3 as ClosedRange<UInt64> { node.fail(number) }
        try node.publish()
        node.clock.advance(by: .seconds(600))
        node.publisher.adopt(["orders": ServicePolicy(protectThreshold: 0)])
        try node.publish(services: ["orders"])
        #expect(contents(node) == before && node.publisher.lastKnown.answeredCount == 3)
    }

    @Test(arguments: sizes) func `a zone that takes nothing for a while gets everything later`(size: Int) throws {
        var (node, before) = try Self.full(size, grace: .seconds(30))
        for number in 1...UInt64(size) { node.fail(number) }
        node.zone.reject("orders")
        #expect(throws: EngineError.self) { try node.publish() }
        node.zone.reject("")
        try node.publish(services: ["orders"])
        #expect(node.zone.content("orders") == .failure)
        node.clock.advance(by: .seconds(30))
        node.zone.reject("blue.orders")
        #expect(throws: EngineError.self) { try node.endGraces() }
        node.zone.reject("")
        try node.publish(services: node.publisher.uncertainServices)
        #expect(contents(node) == before)
        node.zone.reject("orders")
        for number in 1...UInt64(size) { node.recover(number) }
        #expect(throws: EngineError.self) { try node.publish() }
        node.zone.reject("")
        try node.publish(services: ["orders"])
        #expect(contents(node) == before && node.publisher.lastKnown.answeredCount == 0)
    }

    @Test func `a service that answers otherwise keeps nothing`() throws {
        var node = PublishingNode(RecordPolicy())
        node.publisher.adopt(["users": ServicePolicy(onEmpty: .lastKnown)])
        for number in 1...50 as ClosedRange<UInt64> { node.put(Self.instance(number)) }
        try node.publish()
        for number in 1...50 as ClosedRange<UInt64> { node.expire(number) }
        try node.publish()
        #expect(node.zone.names.isEmpty && node.publisher.lastKnown.isEmpty)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `any sequence of changes: a name is empty only if its last instances were taken out`(seed: UInt64) throws {
        var random = Numbers(seed)
        var node = Self.node()
        /// Those that were healthy at some time in the last 30 s of an answer, and were not taken out since.
        var last: [UInt64: ContinuousClock.Instant] = [:]
        var emptySince: ContinuousClock.Instant?
        for step in 0..<4000 {
            let goal = [60, 3, 45, 8][step / 250 % 4]
            let number = UInt64(1 + random.next(60))
            switch random.next(10) {
            case 0, 1, 2: if node.table.count < goal { node.put(Self.instance(number)) }
            case 3: node.recover(number)
            case 4: node.fail(number)
            case 5: node.expire(number)
            case 6:
                node.table.remove(id: "i\(number)")
                // It may have expired before.
                node.publisher.lastKnown.forget(id: "i\(number)")
                last[number] = nil
            case 7:
                guard node.table.instance(id: "i\(number)") != nil else { continue }
                node.put(Self.instance(number, draining: true))
                last[number] = nil
            default:
                if random.next(6) > 0 { continue }
                for number in 1...60 as ClosedRange<UInt64> {
                    if random.next(2) == 0 { node.fail(number) } else { node.expire(number) }
                }
            }
            try node.publish()
            try node.publishLastKnown()
            try node.endGraces()
            let now = node.clock.now.monotonic
            let registered = node.table.all(ofService: "orders")
            let healthy = registered.filter(\.isHealthy).map(\.instance.sequence)
            if healthy.isEmpty {
                let since = emptySince ?? now
                emptySince = since
                // What was healthy at the last look has gone since.
                let allowed = last.filter { $0.value + LastKnown.span >= since }.keys.sorted()
                if now - since < LastKnown.duration, !allowed.isEmpty {
                    let expected = allowed.map { PublishedInstance(RegisteredInstance(Self.instance($0))) }
                    let content = ServiceRecords.content(of: expected, node.policy, addresses: true)
                    #expect(node.zone.content("orders") == content, "at step \(step)")
                } else {
                    #expect(node.zone.names.isEmpty, "at step \(step)")
                }
            } else {
                emptySince = nil
                node.expectAddresses(healthy.map { Self.instance($0) })
            }
            let pause = Duration.seconds(random.next(random.next(40) == 0 ? 4000 : 12))
            node.clock.advance(by: pause)
            // They leave DNS at the next look, if they do.
            for number in healthy { last[number] = node.clock.now.monotonic }
        }
    }
}

extension PublishingNode {
    /// An instance's heartbeats have ended.
    fileprivate mutating func expire(_ number: UInt64) { table.remove(id: "i\(number)", because: .expired) }

    /// A check of an instance fails.
    fileprivate mutating func fail(_ number: UInt64) {
        table.setHealth(InstanceHealth(web: .critical), of: "i\(number)", because: .check("web"))
    }

    /// All is well with an instance, which registers again if it has expired.
    fileprivate mutating func recover(_ number: UInt64) {
        table.setHealth(InstanceHealth(), of: "i\(number)", because: .check("web"))
    }

    /// Does what is due by now.
    fileprivate mutating func endGraces() throws {
        while try publisher.endGraces(now: clock.now, limit: 3) > 0 {}
    }

    /// Checks what `orders` answers.
    fileprivate func expectAddresses(_ instances: [ServiceInstance], at location: SourceLocation = #_sourceLocation) {
        let healthy = instances.map { PublishedInstance(RegisteredInstance($0)) }
        let content = ServiceRecords.content(of: healthy, policy, addresses: true)
        guard case .records(let sets)? = zone.content("orders"), case .records(let expected) = content else {
            Issue.record("\(String(describing: zone.content("orders")))", sourceLocation: location)
            return
        }
        #expect(sets.map(\.records) == expected.map(\.records), sourceLocation: location)
    }
}
