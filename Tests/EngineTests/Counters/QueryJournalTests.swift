import Testing

@testable import Engine

/// What is known of the queries that were asked.
struct QueryJournalTests {
    private func wire(_ name: String) throws -> [UInt8] { try #require(PresentationForm.wireName(name)) }

    private func count(
        _ name: [UInt8], weight: UInt64 = 1, in sketch: inout NameSketch, _ random: inout SeededRandom
    ) {
        sketch.count(
            name.rawSpan, type: 1, hash: NameHash.hash(name.rawSpan, type: .a), weight: weight,
            random: random.next())
    }

    private func counts(_ sketch: NameSketch) -> [[UInt8]: UInt64] {
        var counts: [[UInt8]: UInt64] = [:]
        sketch.forEach { name, _, count in counts[name, default: 0] += count }
        return counts
    }

    @Test func `a flood of random names does not displace those that are asked often`() throws {
        var random = SeededRandom(7)
        var sketch = NameSketch()
        let names = try (0..<20).map { try wire("svc\($0).service.kong") }
        // One query in twenty is for one of twenty names; the others are for names that are asked once.
        for turn in 0..<200_000 {
            if turn % 20 == 0 {
                count(names[turn / 20 % 20], in: &sketch, &random)
            } else {
                let number = random.next()
                let label = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) & 0x0F | 0x60 }
                count([8] + label + [0], in: &sketch, &random)
            }
        }
        let known = counts(sketch)
        #expect(known.count <= NameSketch.capacity)
        // Each was asked 500 times. Nothing is counted that was not asked.
        let asked = names.map { known[$0] ?? 0 }
        #expect(asked.allSatisfy { (250...500).contains($0) }, "\(asked)")
        #expect(Set(known.sorted { $0.value > $1.value }.prefix(20).map(\.key)) == Set(names))
    }

    @Test func `names in another case are the same, and every octet of a name is kept`() throws {
        var random = SeededRandom(1)
        var sketch = NameSketch()
        let long = try wire(String(repeating: String(repeating: "A", count: 63) + ".", count: 3))
        for name in [long, long, try wire("web.service.kong")] { count(name, in: &sketch, &random) }
        let upper = try TestQuery("WEB.Service.kong").octets
        // The name lies between the header, and type and class.
        count(Array(upper[12..<(upper.count - 4)]), in: &sketch, &random)
        let web = try wire("web.service.kong")
        #expect(counts(sketch) == [long: 2, web: 2])
    }

    @Test func `a count lasts one to two hours`() throws {
        let begin = MonotonicTime(nanoseconds: 1)
        let journal = QueryJournal(now: begin)
        let name = try wire("web.service.kong")
        func ask(after minutes: Int64) {
            let now = begin + .seconds(minutes * 60)
            let isCounted = journal.count(name.rawSpan, type: 1, hash: 5, weight: 10, now: now)
            #expect(isCounted)
        }
        func statistics(after minutes: Int64) -> QueryStatistics {
            var statistics = QueryStatistics()
            journal.add(to: &statistics, now: begin + .seconds(minutes * 60))
            return statistics
        }
        ask(after: 1)
        ask(after: 59)
        #expect(statistics(after: 59).queries == 20 && statistics(after: 59).age == .seconds(59 * 60))
        ask(after: 61)
        #expect(statistics(after: 61).names(limit: 5).map(\.queries) == [30])
        #expect(statistics(after: 61).samples == 3 && statistics(after: 61).age == .seconds(61 * 60))
        ask(after: 130)
        #expect(statistics(after: 130).names(limit: 5).map(\.queries) == [20])
        #expect(statistics(after: 130).queries == 20 && statistics(after: 130).age == .seconds(69 * 60))
    }

    @Test func `failures are bounded, the newest stay, and repeated ones take one place`() throws {
        var log = FailureLog()
        for number in 0..<1000 {
            let time = MonotonicTime(nanoseconds: Int64(number + 1))
            let name = try wire("n\(number).example")
            log.note(name.rawSpan, type: 1, hash: UInt64(number), from: .ten(1), now: time)
            let same = try wire("same.example")
            log.note(same.rawSpan, type: 1, hash: 5000, from: .ten(2), now: time)
        }
        var seen: [[UInt8]: UInt64] = [:]
        log.forEach { name, _, _, count, _ in seen[name] = count }
        #expect(seen.count == FailureLog.capacity)
        func count(_ name: String) throws -> UInt64? { seen[try wire(name)] }
        #expect(try count("same.example") == 1000)
        #expect(try count("n999.example") == 1)
        #expect(try count("n873.example") == 1)
        #expect(try count("n800.example") == nil)
    }

    @Test func `names, types and octets of all kinds become harmless text and types come back`() throws {
        #expect(PresentationForm.name([0]) == ".")
        #expect(PresentationForm.name(try wire("web.service.kong.")) == "web.service.kong")
        let odd: [UInt8] = [9, 0x1B, 0x5B, 0x2E, 0x5C, 0x22, 0x00, 0xFF, 0x20, 0x61, 1, 0x2A, 0]
        #expect(PresentationForm.name(odd) == #"\027[\.\\\"\000\255\032a.*"#)
        // What is cut off ends there.
        #expect(PresentationForm.name([5, 0x61]) == "a")
        for (number, text) in [(1, "A"), (33, "SRV"), (65, "HTTPS"), (65280, "TYPE65280")] as [(UInt16, String)] {
            #expect(PresentationForm.type(number) == text)
            #expect(PresentationForm.type(text.lowercased()) == number)
        }
        for bad in ["", "B", "A B", "TYPE", "TYPE65536", "TYPE99999999999", "ÄÖ", "A\u{0}"] {
            #expect(PresentationForm.type(bad) == nil, "\(bad)")
        }
    }

    @Test func `a busy second is sampled, and the weights add up to all queries`() throws {
        let server = try TestEngine()
        let socket = try TestSocket.udp(server.address)
        for _ in 0..<3000 { _ = try socket.ask(web) }
        let statistics = server.engine.queryStatistics()
        let web = try #require(statistics.names(limit: 1).first)
        // Those after the last sample are not counted yet.
        #expect((2850...3000).contains(statistics.queries), "\(statistics.queries)")
        #expect(web.queries == statistics.queries)
        #expect((1...3000).contains(statistics.samples))
    }
}
