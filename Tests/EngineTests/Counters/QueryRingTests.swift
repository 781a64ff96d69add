import Synchronization
import Testing

@testable import Engine

/// The way of queries from a worker to the query log.
struct QueryRingTests {
    private static func entry(_ number: Int) -> QueryRing.Entry {
        let sample = QuerySample(
            arrival: MonotonicTime(nanoseconds: Int64(number)), byteCount: number, isTimed: false, isLogged: true)
        return QueryRing.Entry(
            sample: sample, origin: QueryOrigin(source: .zone, extendedCode: nil, hasEDNS: false, isDNSSECOK: false),
            duration: Nanoseconds(count: Int64(number)), client: .ten(number), isTCP: number % 2 == 1,
            type: UInt16(truncatingIfNeeded: number), flags: 0x0100, replyFlags: 0x8583, answerCount: 1,
            replyByteCount: 100)
    }

    /// A name of that many octets.
    private static func name(_ number: Int, _ count: Int = 5) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 == 0 ? number >> 8 : number) }
    }

    private static func append(_ number: Int, to ring: QueryRing) {
        ring.append(entry(number), name: name(number).rawSpan)
    }

    private static func take(_ ring: QueryRing) -> [QueryRecord] {
        var records: [QueryRecord] = []
        let count = ring.take(now: MonotonicTime(nanoseconds: 1_000_000)) { records.append($0) }
        #expect(count == records.count)
        return records
    }

    @Test func `what is added is taken once, in order and with all that it has`() throws {
        let ring = QueryRing()
        #expect(Self.take(ring).isEmpty)
        for number in 1...3 { Self.append(number, to: ring) }
        let records = Self.take(ring)
        #expect(records.map(\.name) == (1...3).map { Self.name($0) } && records.map(\.type) == [1, 2, 3])
        #expect(records.map(\.client) == (1...3).map { .ten($0) } && records.map(\.isTCP) == [true, false, true])
        #expect(records.allSatisfy { $0.flags == 0x0100 && $0.replyFlags == 0x8583 && $0.code == 3 })
        #expect(records[2].duration == .nanoseconds(3) && records[2].age == .nanoseconds(999_997))
        #expect(records.allSatisfy { $0.answerCount == 1 && $0.byteCount == 100 && $0.source == .zone })
        #expect(Self.take(ring).isEmpty && ring.dropped == 0)
    }

    @Test func `what has no room is dropped and counted, and there is room again after the next look`() {
        let ring = QueryRing()
        var expected: [[UInt8]?] = []
        var number = 0
        for round in 1...5 {
            for _ in 0..<(QueryRing.capacity + 7) {
                if expected.count < QueryRing.capacity { expected.append(Self.name(number)) }
                Self.append(number, to: ring)
                number += 1
            }
            #expect(Self.take(ring).map(\.name) == expected)
            #expect(ring.dropped == UInt64(7 * round))
            expected = []
            // The next round begins at another place.
            Self.append(number, to: ring)
            #expect(Self.take(ring).count == 1)
        }
    }

    @Test func `the longest name and the root are kept, what is no name is none`() {
        let ring = QueryRing()
        for count in [255, 1, 0, 256, 70_000] {
            ring.append(Self.entry(0), name: Self.name(7, count).rawSpan)
        }
        #expect(Self.take(ring).map(\.name) == [Self.name(7, 255), Self.name(7, 1), nil, nil, nil])
    }

    @Test func `an extended code counts instead of the header's`() {
        let ring = QueryRing()
        var entry = Self.entry(1)
        entry.origin.extendedCode = 16
        ring.append(entry, name: RawSpan())
        #expect(Self.take(ring).map(\.code) == [16])
    }

    @Test func `one thread adds while another one takes: nothing is torn, repeated or out of order`() throws {
        let ring = QueryRing()
        let added = Atomic<Int>(0)
        let writer = try Background {
            let number = added.add(1, ordering: .relaxed).oldValue
            Self.append(number, to: ring)
        }
        var last = -1
        var taken = 0
        while taken < 100_000 {
            _ = ring.take(now: .now) { record in
                let number = Int(record.duration / .nanoseconds(1))
                #expect(number > last && record.name == Self.name(number) && record.client == .ten(number))
                last = number
                taken += 1
            }
        }
        writer.stop()
        taken += ring.take(now: .now) { _ in }
        #expect(taken + Int(ring.dropped) == added.load(ordering: .relaxed))
    }

    @Test(arguments: [1, 0.9, 0.6, 0.5, 0.1, 0.01, 0.0001])
    func `as many queries are chosen as the share says, at random distances`(share: Double) throws {
        var random = SeededRandom(3)
        var interval = try #require(SampleInterval(share: share))
        let distances = (0..<20_000).map { _ in interval.next(random: random.next()) }
        #expect(distances.allSatisfy { $0 >= 1 })
        let mean = Double(distances.reduce(0, +)) / Double(distances.count)
        #expect(abs(mean * share - 1) < 0.02)
        #expect(share == 1 || Set(distances).count > 1)
    }

    @Test func `extreme shares choose nothing or all, and never trap`() throws {
        for none in [0, -1, -Double.infinity, .nan] { #expect(SampleInterval(share: none) == nil) }
        for least in [Double.leastNonzeroMagnitude, 1e-300] {
            var interval = try #require(SampleInterval(share: least))
            #expect(interval.next(random: .max) > 1_000_000_000)
        }
        for all in [1, 2, Double.infinity] {
            var interval = try #require(SampleInterval(share: all))
            for random in [0, UInt64.max] {
                let distance = interval.next(random: random)
                #expect(distance == 1)
            }
        }
    }
}
