import NIOCore
import Testing

@testable import ControlPlane

/// What readers of the events are told of changes that nobody has requested, and how these are counted.
@Suite struct ReasonTests {
    private func events(_ registry: Registry) -> [String] {
        let reading = registry.feed.read(after: 0, for: FeedInterest(subject: .events))
        let text = reading?.texts.map { String(buffer: $0) }.joined() ?? "gone"
        return text.split(separator: "\n\n").map { event in
            let lines = event.split(separator: "\n")
            let data = lines.last?.dropFirst(6).utf8
            let json = data.flatMap { try? JSONParser.parse(Array($0)) }
            return [
                lines[1].dropFirst(7).description, json?.value(at: ["reason"])?.text, json?.value(at: ["detail"])?.text,
            ]
            .compactMap(\.self).joined(separator: " ")
        }
    }

    @Test func `a check's result is the check's, and so is the removal of an instance that was critical for too long`()
        async throws
    {
        let test = TestRegistry()
        try await test.running {
            var registration = Registration.test("a")
            registration.checks = [.test("first"), .test("second")]
            _ = try await test.registry.register(registration)
            let time = test.clock.now.wall
            for (name, status) in [("second", CheckStatus.critical), ("first", .warning), ("second", .critical)] {
                let report = CheckReport(name: name, status: status, time: time)
                _ = try await test.registry.report(id: "a", report)
            }
            registration.weight = 7
            _ = try await test.registry.register(registration)
            let known = try #require(test.registry.instance(id: "a"))
            _ = try await test.registry.submit([.expel(Expulsion(instance: known, check: "second"))])
            _ = try await test.registry.register(.test("a", ttl: 1))
            _ = try await test.registry.deregister(id: "a")
            _ = try await test.registry.register(.test("b", ttl: 1))
            test.clock.advance(by: .seconds(2))
            try await test.sweep()
            #expect(
                events(test.registry) == [
                    "registered request", "status check second", "status check first", "updated request",
                    "deregistered check second", "registered request", "deregistered request", "registered request",
                    "expired expired",
                ])
            let counts = test.registry.counters.changeCounts
            var counted: [String] = []
            for event in RegistryCounters.Event.allCases {
                for reason in ChangeReason.Kind.allCases where counts[event, reason] > 0 {
                    counted.append("\(event.rawValue) \(reason.rawValue) \(counts[event, reason])")
                }
            }
            #expect(
                counted == [
                    "registered request 3", "updated request 1", "updated check 1", "status check 1",
                    "deregistered request 1", "deregistered check 1", "expired expired 1",
                ])
        }
    }
}
