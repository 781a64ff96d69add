import Synchronization

/// What the workers share to answer names outside the zone.
final class SharedForwarding: Sendable {
    let cache: AnswerCache
    let failures = FailureCache()
    let ttlPolicy: TTLPolicy
    /// The names that upstreams have no say in.
    let own: OwnNames
    let maximumInFlight: Int
    let maximumSocketsPerWorker: Int
    /// Queries under way over all workers.
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

    /// Counts one more query under way, if there may be one.
    func admit() -> Bool {
        if inFlight.wrappingAdd(1, ordering: .relaxed).newValue <= maximumInFlight { return true }
        release()
        return false
    }

    /// Counts one less.
    func release() {
        inFlight.wrappingSubtract(1, ordering: .relaxed)
    }
}

/// The part that can change while the workers run; itself it never does.
final class ForwardingSettings: Sendable {
    let configuration: UpstreamConfiguration
    let upstreams: UpstreamSet
    let access: AccessList
    let timeout: Nanoseconds

    /// - Parameter previous: what was in force until now.
    init(_ configuration: UpstreamConfiguration, previous: ForwardingSettings? = nil) {
        self.configuration = configuration
        upstreams = UpstreamSet(configuration, previous: previous?.upstreams)
        access = AccessList(configuration.allow)
        timeout = Nanoseconds(configuration.timeout)
    }

    /// Whether there is anybody to ask.
    var isOn: Bool { !configuration.servers.isEmpty }
}
