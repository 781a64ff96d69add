/// The sums of what the workers have counted since they started, and the present state.
public struct EngineStatistics: Hashable, Sendable {
    private var values = [UInt64](repeating: 0, count: Counter.allCases.count)
    /// The upstreams, in their configured order.
    public var upstreams: [UpstreamStatistics] = []

    /// How long queries took, and how long they and their replies were: of those that were looked at.
    public var samples = QuerySamples()

    /// The types whose queries are counted on their own, by their numbers (IANA "Resource Record (RR) TYPEs").
    public static let countedTypes: [UInt16] = [1, 2, 5, 6, 12, 15, 16, 28, 33, 64, 65, 255]
    private var typeCounts = [UInt64](repeating: 0, count: countedTypes.count + 1)

    /// All zero.
    public init() {}

    /// A counter's value.
    public subscript(counter: Counter) -> UInt64 {
        get { values[counter.rawValue] }
        set { values[counter.rawValue] = newValue }
    }

    /// The queries by type. The last count, without a type, is of all other types, and of queries without a readable
    /// question.
    public var queriesByType: [(type: UInt16?, queries: UInt64)] {
        zip(Self.countedTypes.map(Optional.some) + [nil], typeCounts).map { ($0, $1) }
    }

    /// Adds the counts of one worker.
    mutating func add(_ counters: WorkerCounters) {
        var others = counters.queriesOfAllTypes
        for (place, type) in Self.countedTypes.enumerated() {
            let queries = counters.queries(ofType: type)
            typeCounts[place] &+= queries
            // They go on being counted meanwhile.
            others -= min(others, queries)
        }
        typeCounts[Self.countedTypes.count] &+= others
        for counter in Counter.allCases { self[counter] &+= counters.value(of: counter) }
    }
}
