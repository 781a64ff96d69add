/// The sums of what the workers have counted since they started, and the present state.
public struct EngineStatistics: Hashable, Sendable {
    private var values = [UInt64](repeating: 0, count: Counter.allCases.count)
    /// The upstreams, in their configured order.
    public var upstreams: [UpstreamStatistics] = []

    /// All zero.
    public init() {}

    /// A counter's value.
    public subscript(counter: Counter) -> UInt64 {
        get { values[counter.rawValue] }
        set { values[counter.rawValue] = newValue }
    }

    /// Adds the counts of one worker.
    mutating func add(_ counters: WorkerCounters) {
        for counter in Counter.allCases { self[counter] &+= counters.value(of: counter) }
    }
}
