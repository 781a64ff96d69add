import Synchronization

/// The query log: workers put a share of all queries into rings, from which they are taken.
extension Engine {
    /// Each worker's ring.
    struct QueryLogState {
        var share = 0.0
        var rings: [QueryRing] = []
        /// What rings that are not used any more had dropped.
        var droppedBefore: UInt64 = 0
    }

    /// Sets the share of queries that are logged, from the next query on.
    ///
    /// - Parameter share: 0–1; 0: none. What is beyond counts as the nearest of these.
    public func reconfigure(queryLogShare share: Double) {
        queryLog.withLock { state in
            let share = min(max(share, 0), 1)
            guard share != state.share else { return }
            if state.share == 0 {
                // What came when nobody took any more would be told too late.
                state.droppedBefore &+= state.dropped
                state.rings = workers.map { _ in QueryRing() }
            }
            state.share = share
            for (worker, ring) in zip(workers, state.rings) {
                worker.mailbox.post(QueryLogSettings(interval: SampleInterval(share: share), ring: ring))
            }
        }
    }

    /// The share of queries that are logged.
    public var queryLogShare: Double { queryLog.withLock { $0.share } }

    /// Takes the queries that were logged since the last call; those of one worker are in their order.
    ///
    /// - Parameter body: gets one query after the other. Workers never wait for it: while it takes its time, some 2,000
    ///   for each worker are kept, and more are dropped.
    /// - Returns: how many there were.
    public func takeQueries(_ body: (QueryRecord) -> Void) -> Int {
        let rings = queryLog.withLock { $0.rings }
        return rings.reduce(0) { $0 &+ $1.take(now: .now, body) }
    }

    /// How many queries were dropped since the start because they came faster than they were taken.
    public var droppedQueries: UInt64 { queryLog.withLock { $0.droppedBefore &+ $0.dropped } }
}

extension Engine.QueryLogState {
    fileprivate var dropped: UInt64 { rings.reduce(0) { $0 &+ $1.dropped } }
}
