import Testing

@testable import Engine

/// Which datagrams are sent together.
struct SegmentPlanTests {
    /// The messages that a batch makes, as indices of datagrams; `nil` if there is no plan.
    ///
    /// - Parameter hash: of a destination; most tests give all the same one, so that each place of the table is tried.
    private func messages(
        to destinations: [Int], of lengths: [Int], hash: (Int) -> UInt64 = { _ in 127 }
    ) -> [[Int]]? {
        var plan = SegmentPlan()
        let count = lengths.count
        let isMade = plan.make(
            count, hash: { hash(destinations[$0]) }, isSame: { destinations[$0] == destinations[$1] },
            length: { lengths[$0] })
        guard isMade else { return nil }
        var messages: [[Int]] = []
        var start = 0
        while start < count {
            let end = plan.end(ofMessageAt: start, count) { lengths[$0] }
            messages.append((start..<end).map { plan[$0] })
            start = end
        }
        return messages
    }

    @Test(
        arguments: [
            // Each row has destinations, lengths and messages.
            ([], [], nil),
            ([1], [70], nil),
            ([1, 2, 3], [70, 70, 70], nil),
            ([1, 1], [70, 70], [[0, 1]]),
            ([1, 2, 1, 2], [70, 70, 70, 70], [[0, 2], [1, 3]]),
            // A shorter datagram is the last of its message, and the longest come first.
            ([1, 1, 1, 1], [50, 70, 60, 70], [[1, 3, 2], [0]]),
            ([1, 1, 1], [70, 60, 50], [[0, 1], [2]]),
            ([2, 1, 2], [70, 70, 90], [[2, 0], [1]]),
            // Some datagrams are too long to be sent with others, or are empty.
            ([1, 1, 1], [1233, 1233, 1232], [[0], [1], [2]]),
            ([1, 1, 1], [1232, 1232, 1], [[0, 1, 2]]),
            ([1, 1, 1], [70, 0, 0], [[0], [1], [2]]),
            ([1, 1], [100_000, 70_000], [[0], [1]]),
        ] as [([Int], [Int], [[Int]]?)])
    func `those to one destination and of one length go together`(
        destinations: [Int], lengths: [Int], expected: [[Int]]?
    ) {
        #expect(messages(to: destinations, of: lengths) == expected)
    }

    @Test func `a message has no more segments, and no more octets, than the kernel takes`() {
        let destinations = [Int](repeating: 1, count: 64)
        #expect(messages(to: destinations, of: .init(repeating: 70, count: 64))?.map(\.count) == [60, 4])
        // 52 × 1,232 = 64,064.
        #expect(messages(to: destinations, of: .init(repeating: 1232, count: 64))?.map(\.count) == [52, 12])
    }

    @Test func `each datagram is in one message, with none for another destination`() throws {
        var random = SeededRandom(5)
        for _ in 0..<2000 {
            let count = Int.random(in: 2...64, using: &random)
            let range = 1...Int.random(in: 1...64, using: &random)
            let destinations = (0..<count).map { _ in Int.random(in: range, using: &random) }
            let lengths = (0..<count).map { _ in [0, 1, 50, 70, 1232, 1400].randomElement(using: &random) ?? 0 }
            let isScattered = Bool.random(using: &random)
            let messages = messages(to: destinations, of: lengths) { UInt64(isScattered ? $0 &* 2_654_435_761 : 3) }
            #expect((messages == nil) == (Set(destinations).count == count))
            guard let messages else { continue }
            #expect(messages.joined().sorted() == Array(0..<count))
            for message in messages {
                #expect(Set(message.map { destinations[$0] }).count == 1)
                let sizes = message.map { lengths[$0] }
                let first = try #require(sizes.first)
                #expect(sizes.count == 1 || first <= SegmentPlan.longestDatagram)
                #expect(sizes.dropLast().allSatisfy { $0 == first })
                #expect(sizes.last.map { $0 <= first && ($0 > 0 || sizes.count == 1) } == true)
                #expect(sizes.reduce(0, +) <= max(first, SegmentPlan.longestMessage))
            }
        }
    }
}
