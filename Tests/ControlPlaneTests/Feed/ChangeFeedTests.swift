import NIOCore
import Synchronization
import Testing

@testable import ControlPlane

@Suite struct ChangeFeedTests {
    private let now = WallTime(millisecondsSince1970: 1_800_000_000_000)
    private let all = FeedInterest(subject: .events)

    private func change(
        _ index: UInt64, _ old: ServiceInstance?, _ new: ServiceInstance?, _ reason: ChangeReason = .request
    ) throws -> FeedChange {
        try #require(
            FeedChange(
                InstanceChange(
                    index: index, old: old.map { RegisteredInstance($0) }, new: new.map { RegisteredInstance($0) },
                    reason: reason)))
    }

    /// The names of the events in a text, with their reasons.
    private func events(_ reading: ChangeFeed.Reading?) -> [String] {
        guard let reading else { return ["gone"] }
        let text = reading.texts.map { String(buffer: $0) }.joined()
        return text.split(separator: "\n\n").map { event in
            let name = event.split(separator: "\n").first { $0.hasPrefix("event: ") }?.dropFirst(7) ?? ""
            let json = event.split(separator: "\n").first { $0.hasPrefix("data: ") }?.dropFirst(6) ?? ""
            let data = try? JSONParser.parse(Array(json.utf8))
            return [String(name), data?.value(at: ["reason"])?.text, data?.value(at: ["detail"])?.text]
                .compactMap(\.self).joined(separator: " ")
        }
    }

    @Test func `an event tells what has happened, and why`() throws {
        let feed = ChangeFeed()
        let instance = ServiceInstance.test(1, tags: ["blue"])
        var draining = instance
        draining.isDraining = true
        var heavy = draining
        heavy.weight = 7
        feed.append(
            try [
                change(1, nil, instance), change(2, instance, draining), change(3, draining, heavy, .anotherNode),
                change(4, heavy, nil, .check("http \"x\"")), change(5, nil, heavy), change(6, heavy, nil, .expired),
            ] + [FeedChange(PolicyChange(index: 7, name: "orders", policy: Array(#"{"ttl":1}"#.utf8)))], time: now)
        #expect(
            events(feed.read(after: 0, for: all)) == [
                "registered request", "status request", "updated another_node", "deregistered check http \"x\"",
                "registered request", "expired expired", "policy request",
            ])
        #expect(events(feed.read(after: 5, for: all)) == ["expired expired", "policy request"])
        #expect(events(feed.read(after: 7, for: all)).isEmpty)
        let text = try #require(feed.read(after: 6, for: all)?.texts.first)
        #expect(
            String(buffer: text)
                == "id: \(feed.position(7).text)\nevent: policy\n"
                + #"data: {"reason":"request","index":7,"time":"2027-01-15T08:00:00.000Z","name":"orders","policy":{"ttl":1}}"#
                + "\n\n")
        let other = FeedInterest(subject: .events, filter: InstanceFilter(name: "users"))
        #expect(events(feed.read(after: 0, for: other)).isEmpty)
        #expect(feed.read(after: 0, for: other)?.position == 7)
    }

    @Test func `what moves into a filter is registered, and what moves out is deregistered`() throws {
        let feed = ChangeFeed()
        let plain = ServiceInstance.test(1)
        let blue = ServiceInstance.test(1, tags: ["blue"])
        let moved = ServiceInstance.test(1, name: "users", tags: ["blue"])
        feed.append(
            try [
                change(1, nil, plain), change(2, plain, blue), change(3, blue, moved), change(4, moved, plain),
                change(5, plain, nil),
            ], time: now)
        func events(_ filter: InstanceFilter, hasIDs: Bool = true) -> [String] {
            self.events(feed.read(after: 0, for: FeedInterest(subject: .events, filter: filter), hasIDs: hasIDs))
        }
        #expect(
            events(InstanceFilter(tag: "blue")) == ["registered request", "updated request", "deregistered filter"])
        #expect(events(InstanceFilter(name: "users")) == ["registered request", "deregistered filter"])
        #expect(
            events(InstanceFilter(name: "orders"), hasIDs: false) == [
                "registered request", "updated request", "deregistered filter", "registered request",
                "deregistered request",
            ])
        let texts = feed.read(after: 0, for: all, hasIDs: false)?.texts.map { String(buffer: $0) }.joined() ?? ""
        #expect(texts.contains("event: ") && !texts.contains("id: "))
    }

    @Test func `the newest changes are kept, as many as allowed and at least the last`() throws {
        let feed = ChangeFeed(ChangeFeed.Limits(changes: 1000, octets: 1 << 20, readers: 1))
        feed.begin(at: 10)
        #expect(feed.isKnown(feed.position(10)) && !feed.isKnown(feed.position(9)))
        #expect(!feed.isKnown(feed.position(11)))
        #expect(!feed.isKnown(FeedPosition(identity: feed.identity ^ 1, index: 10)))
        var index: UInt64 = 10
        func add(_ count: Int, metadata: Int = 0) throws {
            var instance = ServiceInstance.test(1)
            instance.metadata = [MetadataEntry(key: "k", value: String(repeating: "\u{1}", count: metadata))]
            let first = index + 1
            index += UInt64(count)
            feed.append(try (first...index).map { try change($0, nil, instance) }, time: now)
        }
        for count in [1, 5, 300, 700, 1, 2000, 3, 999] {
            try add(count)
            let isWhole = index - 10 <= 1000
            #expect(feed.isKnown(feed.position(max(10, index - min(index, 1000)))), "\(index)")
            #expect(feed.isKnown(feed.position(10)) == isWhole)
            // Blocks go as a whole.
            #expect(index < 1300 || !feed.isKnown(feed.position(index - 1257)))
        }
        // A hundred thousand octets each.
        try add(50, metadata: 16_000)
        let kept = try #require((1...50).last { feed.isKnown(feed.position(index - UInt64($0))) })
        #expect((8...11).contains(kept))
        var position = index - UInt64(kept)
        var octets = 0
        while let reading = feed.read(after: position, for: all) {
            octets += reading.texts.reduce(0) { $0 + $1.readableBytes }
            position = reading.position
            if reading.isComplete { break }
        }
        #expect((800_000...1 << 20).contains(octets))
        try add(1, metadata: 16_000 * 20)
        #expect(feed.isKnown(feed.position(index - 1)) && !feed.isKnown(feed.position(index - 2)))
        #expect(events(feed.read(after: index - 1, for: all)) == ["registered request"])
        #expect(feed.read(after: index - 2, for: all) == nil)
    }

    @Test func `a reader whose service does not change misses nothing, whatever else comes and goes`() async throws {
        let feed = ChangeFeed(ChangeFeed.Limits(changes: 10))
        async let telling: Void = feed.tellReaders()
        let interest = FeedInterest(subject: .events, filter: InstanceFilter(name: "users"))
        let subscription = try #require(feed.subscribe(interest))
        let reader = subscription.reader
        for index in 1...5000 as ClosedRange<UInt64> {
            feed.append([try change(index, nil, .test(index))], time: now)
            feed.wakeReaders()
            while feed.toldIndex < index { await Task.yield() }
        }
        #expect(reader.take() == FeedReader.News())
        feed.append([try change(5001, nil, .test(1, name: "users"))], time: now)
        feed.wakeReaders()
        let news = await reader.next()
        #expect(news == FeedReader.News(from: 5001))
        #expect(events(feed.read(after: 5000, for: interest)) == ["registered request"])
        feed.end()
        #expect(await reader.next().hasEnded)
        #expect(feed.subscribe(all)?.reader.hasEnded == true)
        await telling
    }

    @Test func `readers are limited, and one who goes leaves its place`() throws {
        let feed = ChangeFeed(ChangeFeed.Limits(readers: 2))
        var first = feed.subscribe(all)
        let second = feed.subscribe(FeedInterest(subject: .events, filter: InstanceFilter(name: "orders")))
        #expect(first != nil && second != nil && feed.subscribe(all) == nil && feed.readerCount == 2)
        first = nil
        #expect(feed.readerCount == 1 && feed.subscribe(all) != nil)
        #expect(first == nil && feed.readerCount == 1)
    }

    @Test func `a position is read as it was written, and nothing else is`() {
        for position in [FeedPosition(identity: 0, index: 0), FeedPosition(identity: .max, index: .max)] {
            #expect(FeedPosition(position.text) == position)
        }
        for text in [
            "", "-", "0-0", "0000000000000000", "0000000000000000-", "0000000000000000-00", "000000000000000g-1",
            "0000000000000000-18446744073709551616", "+000000000000000-1", "000000000000000A-1",
            "0000000000000000-1 ", "0000000000000000--1", "0000000000000000-+1", "\u{e9}000000000000000-1",
        ] {
            #expect(FeedPosition(text) == nil, "\(text)")
        }
    }
}
