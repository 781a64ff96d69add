import Synchronization

/// How long one worker's queries took, and how long they and their replies were: of those that were looked at. Only its
/// worker writes them.
final class QueryHistograms: Sendable {
    /// Nanoseconds: the highest value of each bucket, from 5 µs to 2.5 s.
    static let durationBounds: [Int64] = [
        5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
        25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000,
    ]
    /// Octets: the highest value of each bucket.
    static let sizeBounds: [Int64] = [64, 128, 256, 512, 1024, 1232, 2048, 4096, 8192, 65_535]

    // Each histogram has a place for each bucket, one for higher values, and one for the sum.
    private static let durationStride = 20
    private static let sizeStride = 12
    private let durations = InlineArray<128, Atomic<UInt64>> { _ in Atomic(0) }
    private let sizes = InlineArray<24, Atomic<UInt64>> { _ in Atomic(0) }

    /// Adds a query.
    func add(_ source: QuerySource, _ duration: Nanoseconds, requestBytes: Int, replyBytes: Int) {
        let start = source.place &* Self.durationStride
        let bucket = Self.bucket(duration.count, Self.durationBounds)
        Self.add(1, to: durations[start &+ bucket])
        Self.add(UInt64(max(duration.count, 0)), to: durations[start &+ Self.durationStride &- 1])
        for (start, size) in [(0, requestBytes), (Self.sizeStride, replyBytes)] {
            Self.add(1, to: sizes[start &+ Self.bucket(Int64(size), Self.sizeBounds)])
            Self.add(UInt64(max(size, 0)), to: sizes[start &+ Self.sizeStride &- 1])
        }
    }

    private static func bucket(_ value: Int64, _ bounds: [Int64]) -> Int {
        for index in bounds.indices where value <= bounds[index] { return index }
        return bounds.count
    }

    private static func add(_ difference: UInt64, to place: borrowing Atomic<UInt64>) {
        place.store(place.load(ordering: .relaxed) &+ difference, ordering: .relaxed)
    }

    /// Adds everything to `samples`; may be called on any thread.
    func add(to samples: inout QuerySamples) {
        for source in QuerySource.allCases {
            let start = source.place &* Self.durationStride
            samples.durations[source.place].add { durations[start &+ $0].load(ordering: .relaxed) }
        }
        samples.requestSizes.add { sizes[$0].load(ordering: .relaxed) }
        samples.replySizes.add { sizes[Self.sizeStride &+ $0].load(ordering: .relaxed) }
    }
}

/// How long queries took, and how long they and their replies were: of those that were looked at. These are, of each
/// worker, the first 256 in a second, and then one in about 64.
public struct QuerySamples: Hashable, Sendable {
    /// How many values of a kind were up to which.
    public struct Distribution: Hashable, Sendable {
        /// The highest value of each bucket, in ascending order.
        public let bounds: [Int64]
        /// How many values are in each bucket and in no lower one, and at last how many are in none.
        public private(set) var counts: [UInt64]
        /// The sum of all values.
        public private(set) var sum: UInt64 = 0

        fileprivate init(bounds: [Int64]) {
            self.bounds = bounds
            counts = Array(repeating: 0, count: bounds.count + 1)
        }

        /// How many values there are.
        public var count: UInt64 { counts.reduce(0, &+) }

        fileprivate mutating func add(_ value: (Int) -> UInt64) {
            for index in counts.indices { counts[index] &+= value(index) }
            sum &+= value(counts.count)
        }
    }

    fileprivate var durations = QuerySource.allCases.map { _ in Distribution(bounds: QueryHistograms.durationBounds) }
    /// Octets of queries.
    public fileprivate(set) var requestSizes = Distribution(bounds: QueryHistograms.sizeBounds)
    /// Octets of replies.
    public fileprivate(set) var replySizes = Distribution(bounds: QueryHistograms.sizeBounds)

    /// Nanoseconds from when queries were received until their replies were written or sent, by where the answer came
    /// from.
    public func durations(_ source: QuerySource) -> Distribution { durations[source.place] }
}
