/// The finished runs of one type of health check since the start.
struct CheckRuns: Sendable, Equatable {
    /// How a run has ended.
    enum Result: Sendable {
        case success
        /// The target has answered, but not as it should.
        case failure
        /// The target has not answered in time.
        case timeout
        /// Nothing is known of the target: the run was interrupted, or impossible here.
        case unfinished
    }

    /// How many have ended in each way.
    private(set) var succeeded: UInt64 = 0
    private(set) var failed: UInt64 = 0
    private(set) var timedOut: UInt64 = 0
    private(set) var unfinished: UInt64 = 0
    /// Seconds that the finished ones took.
    private(set) var durations = Histogram.checks

    /// Adds a run.
    mutating func add(_ result: Result, seconds: Double) {
        switch result {
        case .success: succeeded &+= 1
        case .failure: failed &+= 1
        case .timeout: timedOut &+= 1
        case .unfinished:
            unfinished &+= 1
            return
        }
        durations.add(seconds)
    }
}
