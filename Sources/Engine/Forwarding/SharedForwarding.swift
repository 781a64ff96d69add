import Synchronization

/// What the workers share for answering names outside the zones.
final class SharedForwarding: Sendable {
    let cache: AnswerCache
    let failures = FailureCache()
    let ttlPolicy: TTLPolicy
    /// The names that upstreams must not answer for.
    let own: OwnNames
    let maximumSocketsPerWorker: Int
    private let limit: Mutex<QuestionLimit>
    private let crowded = Atomic<Bool>(false)
    /// The networks that had as many questions as they may, since that was last asked.
    let limited = LimitedNetworkLog()
    private let key: SipHash.Key

    init(_ configuration: ForwardingConfiguration, own: OwnNames, readerCount: Int) throws(EngineError) {
        self.own = own
        let cache = configuration.cache
        self.cache = try AnswerCache(maximumEntries: cache.maximumEntries, readerCount: readerCount)
        ttlPolicy = TTLPolicy(
            minimum: cache.minimumTTL, maximum: cache.maximumTTL, negativeMaximum: cache.negativeTTL,
            stale: Nanoseconds(cache.serveStale), prefetches: cache.prefetch)
        limit = Mutex(QuestionLimit(maximum: configuration.maximumInFlight))
        var random = SystemRandom()
        key = SipHash.Key(low: random.next(), high: random.next())
        maximumSocketsPerWorker = configuration.maximumSocketsPerWorker
    }

    /// The number of a client's network, for ``admit(_:)``. Two networks have the same one in four billion.
    func number(ofNetwork client: IPAddress) -> UInt32 {
        var hash = SipHash(key: key)
        hash.combine(client.limitedPrefix)
        return max(UInt32(truncatingIfNeeded: hash.finalize()), 1)
    }

    /// Counts one more question under way, if the limits allow.
    ///
    /// - Parameter network: that of its client; 0: it has no client.
    func admit(_ network: UInt32) -> QuestionLimit.Admission {
        limit.withLock { limit in
            let admission = limit.admit(network)
            crowded.store(limit.isCrowded, ordering: .relaxed)
            return admission
        }
    }

    /// Counts one question less.
    func release(_ network: UInt32) {
        limit.withLock { limit in
            limit.release(network)
            crowded.store(limit.isCrowded, ordering: .relaxed)
        }
    }

    /// The number of questions under way.
    var inFlight: Int { limit.withLock { $0.count } }

    /// Whether more than half of the questions that may be under way are.
    var isCrowded: Bool { crowded.load(ordering: .relaxed) }
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
