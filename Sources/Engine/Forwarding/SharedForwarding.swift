import Synchronization

/// What the workers share for answering names outside the zones.
final class SharedForwarding: Sendable {
    let cache: AnswerCache
    let failures = FailureCache()
    let ttlPolicy: TTLPolicy
    /// The names that upstreams must not answer for.
    let own: OwnNames
    let maximumInFlight: Int
    let maximumSocketsPerWorker: Int
    /// The number of queries under way over all workers.
    let inFlight = Atomic<Int>(0)

    init(_ configuration: ForwardingConfiguration, own: OwnNames, readerCount: Int) throws(EngineError) {
        self.own = own
        let cache = configuration.cache
        self.cache = try AnswerCache(maximumEntries: cache.maximumEntries, readerCount: readerCount)
        ttlPolicy = TTLPolicy(
            minimum: cache.minimumTTL, maximum: cache.maximumTTL, negativeMaximum: cache.negativeTTL,
            stale: Nanoseconds(cache.serveStale), prefetches: cache.prefetch)
        maximumInFlight = configuration.maximumInFlight
        maximumSocketsPerWorker = configuration.maximumSocketsPerWorker
    }

    /// Counts one more query under way, if the limit allows.
    func admit() -> Bool {
        if inFlight.wrappingAdd(1, ordering: .relaxed).newValue <= maximumInFlight { return true }
        release()
        return false
    }

    /// Counts one query less.
    func release() {
        inFlight.wrappingSubtract(1, ordering: .relaxed)
    }
}

/// The settings that can be replaced while the workers run. The object itself never changes.
final class ForwardingSettings: Sendable {
    let configuration: UpstreamConfiguration
    let upstreams: UpstreamSet
    let access: AccessList
    let timeout: Nanoseconds

    /// - Parameter previous: the settings in force until now.
    init(_ configuration: UpstreamConfiguration, previous: ForwardingSettings? = nil) {
        self.configuration = configuration
        upstreams = UpstreamSet(configuration, previous: previous?.upstreams)
        access = AccessList(configuration.allow)
        timeout = Nanoseconds(configuration.timeout)
    }

    /// Whether there are any upstreams.
    var isOn: Bool { !configuration.servers.isEmpty }
}
