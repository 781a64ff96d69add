import Engine
import Logging
import Testing

@testable import ControlPlane

/// Last known instances in a registry: whatever takes them out, and what is told of them.
@Suite struct LastKnownRegistryTests {
    private let timers = TestTimers()

    private func makeRegistry(grace: Duration = .zero) -> TestRegistry {
        TestRegistry(policy: RecordPolicy(answersLastKnown: true, emptyGrace: grace), timers: timers)
    }

    /// Returns when everything requested before is done.
    private func settle(_ test: TestRegistry) async throws { _ = try await test.registry.deregister(id: "nobody") }

    private func registerAndExpire(_ test: TestRegistry, _ ids: [String]) async throws {
        for (number, id) in ids.enumerated() {
            _ = try await test.registry.register(.test(id, ip: "10.0.0.\(number)", tags: ["t\(number)"], ttl: 5))
        }
        test.clock.advance(by: .seconds(6))
        try await test.sweep()
    }

    @Test func `who has expired is answered after the grace time, for an hour in all`() async throws {
        let test = makeRegistry(grace: .seconds(30))
        try await test.running {
            try await registerAndExpire(test, ["a", "b"])
            #expect(test.zone.content("orders") == .failure && test.registry.summary().lastKnownNames == 0)
            test.clock.advance(by: .seconds(30))
            timers.ring()
            try await settle(test)
            #expect(test.zone.addresses("orders") == ["10.0.0.0", "10.0.0.1"])
            #expect(test.zone.addresses("t1.orders") == ["10.0.0.1"])
            #expect(test.registry.summary().lastKnownNames == 4 && test.registry.summary().counts.total == 0)
            let known = await test.registry.explain("orders", .whole, ofService: "orders", types: [.a, .srv])
            #expect(known.instances.map(\.instance.id) == ["a", "b"])
            #expect(known.reasons[.a] == [.lastKnown, .lastKnown] && known.reasons[.srv] == [.lastKnown, .lastKnown])
            #expect(known.lastKnown?.since == test.clock.now.advanced(by: .seconds(-30)).wall)
            #expect(known.lastKnown?.until == test.clock.now.advanced(by: .seconds(3570)).wall)
            #expect(timers.delays == [.seconds(3570)])
            test.clock.advance(by: .seconds(3570))
            timers.ring()
            try await settle(test)
            #expect(test.zone.names.isEmpty && test.registry.summary().lastKnownNames == 0 && timers.delays.isEmpty)
        }
    }

    @Test func `who was to be deregistered or drained after it expired is not answered`() async throws {
        let test = makeRegistry()
        try await test.running {
            try await registerAndExpire(test, ["a", "b", "c", "d", "e"])
            #expect(test.zone.addresses("orders").count == 5)
            guard case .unknownInstance = try await test.registry.deregister(id: "a") else {
                Issue.record("it is known")
                return
            }
            #expect(test.zone.addresses("orders").count == 4 && test.zone.content("t0.orders") == nil)
            let batch = try await test.registry.submit([
                .deregister(id: "b"), .patch(id: "c", InstancePatch(weight: 1)),
            ])
            #expect(batch == [.unknownInstance, .unknownInstance])
            #expect(test.zone.addresses("orders") == ["10.0.0.2", "10.0.0.3", "10.0.0.4"])
            _ = try await test.registry.patch(id: "c", InstancePatch(isDraining: true))
            #expect(test.zone.addresses("orders") == ["10.0.0.3", "10.0.0.4"])
            let host = try DrainSelection(JSONParser.parse(Array(#"{"ip":"10.0.0.3"}"#.utf8)))
            await test.registry.forgetExpired(ofService: host.service) { host.includes($0) }
            #expect(test.zone.addresses("orders") == ["10.0.0.4"])
            let service = try DrainSelection(JSONParser.parse(Array(#"{"name":"orders","tag":"t4"}"#.utf8)))
            await test.registry.forgetExpired(ofService: service.service) { service.includes($0) }
            #expect(test.zone.names.isEmpty && test.registry.summary().lastKnownNames == 0)
        }
    }

    @Test func `whoever may not change a service takes nothing out of what it answers`() async throws {
        func writer(_ service: String) -> Requester {
            let services = [NamePattern(service)].compactMap(\.self)
            return Requester(token: Token(name: "w", credential: .subject("w"), role: .write, services: services))
        }
        let test = makeRegistry()
        try await test.running {
            try await registerAndExpire(test, ["a", "b"])
            let (own, other) = (writer("orders"), writer("payments"))
            _ = try await test.registry.deregister(id: "a", by: other)
            _ = try await test.registry.patch(id: "a", InstancePatch(isDraining: true), by: other)
            #expect(test.zone.addresses("orders") == ["10.0.0.0", "10.0.0.1"])
            _ = try await test.registry.deregister(id: "b", by: own)
            #expect(test.zone.addresses("orders") == ["10.0.0.0"])
        }
    }

    @Test func `a release ends it, and what is released stays out`() async throws {
        let test = makeRegistry()
        try await test.running {
            #expect(try await test.registry.release("orders") == 0)
            try await registerAndExpire(test, ["a", "b"])
            #expect(try await test.registry.release("users") == 0)
            #expect(try await test.registry.release("orders") == 2)
            #expect(test.zone.names.isEmpty)
            #expect(try await test.registry.release("orders") == 0)
            // Here and elsewhere life goes on.
            _ = try await test.registry.register(.test("a"))
            #expect(test.zone.addresses("orders") == ["10.0.0.1"])
        }
    }

    @Test func `many names die at once, in several publications, and in between others get their turn`() async throws {
        let test = makeRegistry()
        try await test.running {
            let ids = (0..<12_000).map { "i\($0)" }
            for start in stride(from: 0, to: ids.count, by: 4000) {
                _ = try await test.registry.submit(
                    ids[start..<(start + 4000)].map { .register(.test($0, name: $0, tags: ["t"], ttl: 5)) })
            }
            let names = test.zone.names
            #expect(names.count == 36_000)
            test.clock.advance(by: .seconds(6))
            try await test.sweep()
            // They leave the registry before they are published.
            for _ in 0..<100_000 where test.registry.summary().lastKnownNames < 36_000 { try await settle(test) }
            #expect(test.registry.summary().counts.total == 0)
            #expect(test.zone.names == names && test.registry.summary().lastKnownNames == 36_000)
            let before = test.zone.updates.count
            test.clock.advance(by: .seconds(3600))
            timers.ring()
            try await settle(test)
            timers.ring()
            try await settle(test)
            #expect(test.zone.names.isEmpty && test.registry.summary().lastKnownNames == 0)
            #expect(test.zone.updates[before...].allSatisfy { $0.changes.count <= RegistryCommitter.namesAtOnce })
        }
    }

    @Test func `what expires in parts is answered as a whole`() async throws {
        let test = makeRegistry()
        try await test.running {
            let ids = (0..<4500).map { "i\($0)" }
            _ = try await test.registry.submit(
                ids.enumerated().map { number, id in
                    .register(.test(id, ip: "10.1.\(number / 250).\(number % 250)", ttl: 5))
                })
            test.clock.advance(by: .seconds(6))
            try await test.sweep()
            while test.registry.summary().counts.total > 0 { try await settle(test) }
            #expect(test.zone.addresses("orders").count == 4500)
            _ = try await test.registry.deregister(id: "i7")
            #expect(test.zone.addresses("orders").count == 4499)
        }
    }

    @Test func `the log has a line when it begins and when it ends, and not too many`() {
        let lines = Note<[String]>([])
        let clock = TestClock()
        let logger = Logger(label: "test") { _ in LineCollector(lines: lines) }
        let log = LastKnownLog(logger: logger, time: clock.source, timers: timers)
        log.note([LastKnownTurn(service: "orders", end: nil, nameCount: 3)])
        log.note([LastKnownTurn(service: "orders", end: .healthy, nameCount: 3)])
        #expect(
            lines.value == [
                "warning names answer their last known instances name=orders names=3 reason=no instance is healthy",
                "notice names no longer answer their last known instances name=orders names=3 "
                    + "reason=an instance is healthy",
            ])
        log.note((0..<500).map { LastKnownTurn(service: "s\($0)", end: nil, nameCount: 1) })
        #expect(lines.value.count == 100)
        timers.ring()
        #expect(lines.value.last?.hasSuffix("count=402") == true)
    }
}

/// Collects the lines of a log.
private struct LineCollector: LogHandler {
    let lines: Note<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let text = (["\(event.level)", "\(event.message)"] + fields).joined(separator: " ")
        lines.change { $0.append(text) }
    }
}
