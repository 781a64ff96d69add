import Synchronization

/// How often something took how long.
struct Histogram: Sendable, Equatable {
    /// Seconds: the highest value of each bucket, in ascending order.
    let bounds: [Double]
    /// How many values are in each bucket and in no lower one.
    private(set) var counts: [UInt64]
    /// How many values there are, also those above the last bound.
    private(set) var count: UInt64 = 0
    /// Their sum.
    private(set) var sum = 0.0

    /// Without values.
    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count)
    }

    /// With values that were counted elsewhere.
    ///
    /// - Parameter counts: those in each bucket, and at last those above all bounds.
    init(bounds: [Double], counts: [UInt64], sum: Double) {
        self.bounds = bounds
        self.counts = Array(counts.prefix(bounds.count))
        count = counts.reduce(0, &+)
        self.sum = sum
    }

    /// For storage and publication: from 100 µs to 10 s.
    static let seconds = Histogram(
        bounds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])

    /// For requests to the REST API: from 250 µs to 10 s.
    static let requests = Histogram(bounds: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10])

    /// For runs of checks: from 1 ms to 60 s.
    static let checks = Histogram(bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60])

    /// Adds a value.
    mutating func add(_ value: Double) {
        if let bucket = bounds.firstIndex(where: { value <= $0 }) { counts[bucket] &+= 1 }
        count &+= 1
        sum += value
    }
}

/// A histogram of times that one thread adds to and others read.
final class TimeHistogram: Sendable {
    private let state: Mutex<Histogram>

    /// Without values.
    init(_ empty: Histogram = .seconds) {
        state = Mutex(empty)
    }

    /// Adds a time.
    func add(_ duration: Duration) {
        let seconds = duration / .seconds(1)
        state.withLock { $0.add(seconds) }
    }

    /// What was added so far.
    var value: Histogram { state.withLock { $0 } }
}
