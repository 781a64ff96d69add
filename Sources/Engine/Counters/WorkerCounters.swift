import Synchronization

/// What one worker counts. Only its worker writes, so that counting is a plain load and store: no locked instruction.
final class WorkerCounters: Sendable {
    let udpQueries = Atomic<UInt64>(0)
    let tcpQueries = Atomic<UInt64>(0)
    let dropped = Atomic<UInt64>(0)
    let truncated = Atomic<UInt64>(0)
    let answered = Atomic<UInt64>(0)
    let noData = Atomic<UInt64>(0)
    let nameErrors = Atomic<UInt64>(0)
    let serverFailures = Atomic<UInt64>(0)
    let refused = Atomic<UInt64>(0)
    let formatErrors = Atomic<UInt64>(0)
    let notImplemented = Atomic<UInt64>(0)
    let badVersions = Atomic<UInt64>(0)
    let sendErrors = Atomic<UInt64>(0)
    let connectionsAccepted = Atomic<UInt64>(0)
    let connectionsEvicted = Atomic<UInt64>(0)
    let connectionsOpen = Atomic<UInt64>(0)
    // See ForwardingStatistics.
    let cacheHits = Atomic<UInt64>(0)
    let cacheMisses = Atomic<UInt64>(0)
    let coalesced = Atomic<UInt64>(0)
    let staleAnswers = Atomic<UInt64>(0)
    let cachedFailures = Atomic<UInt64>(0)
    let overLimit = Atomic<UInt64>(0)
    let prefetches = Atomic<UInt64>(0)
    let upstreamUDPQueries = Atomic<UInt64>(0)
    let upstreamTCPQueries = Atomic<UInt64>(0)
    let hedges = Atomic<UInt64>(0)
    let retries = Atomic<UInt64>(0)
    let wrongAnswers = Atomic<UInt64>(0)
    let timeouts = Atomic<UInt64>(0)
    let failures = Atomic<UInt64>(0)
}

extension Atomic<UInt64> {
    /// Adds to a counter that no other thread writes.
    @inline(__always)
    func count(_ difference: UInt64 = 1) {
        store(load(ordering: .relaxed) &+ difference, ordering: .relaxed)
    }

    /// Takes one from a counter that no other thread writes.
    func uncount() {
        store(load(ordering: .relaxed) &- 1, ordering: .relaxed)
    }
}

extension EngineStatistics {
    /// Adds what a worker has counted so far.
    mutating func add(_ counters: WorkerCounters) {
        udpQueries += counters.udpQueries.load(ordering: .relaxed)
        tcpQueries += counters.tcpQueries.load(ordering: .relaxed)
        dropped += counters.dropped.load(ordering: .relaxed)
        truncated += counters.truncated.load(ordering: .relaxed)
        answered += counters.answered.load(ordering: .relaxed)
        noData += counters.noData.load(ordering: .relaxed)
        nameErrors += counters.nameErrors.load(ordering: .relaxed)
        serverFailures += counters.serverFailures.load(ordering: .relaxed)
        refused += counters.refused.load(ordering: .relaxed)
        formatErrors += counters.formatErrors.load(ordering: .relaxed)
        notImplemented += counters.notImplemented.load(ordering: .relaxed)
        badVersions += counters.badVersions.load(ordering: .relaxed)
        sendErrors += counters.sendErrors.load(ordering: .relaxed)
        connectionsAccepted += counters.connectionsAccepted.load(ordering: .relaxed)
        connectionsEvicted += counters.connectionsEvicted.load(ordering: .relaxed)
        connectionsOpen += counters.connectionsOpen.load(ordering: .relaxed)
        forwarding.cacheHits += counters.cacheHits.load(ordering: .relaxed)
        forwarding.cacheMisses += counters.cacheMisses.load(ordering: .relaxed)
        forwarding.coalesced += counters.coalesced.load(ordering: .relaxed)
        forwarding.staleAnswers += counters.staleAnswers.load(ordering: .relaxed)
        forwarding.cachedFailures += counters.cachedFailures.load(ordering: .relaxed)
        forwarding.overLimit += counters.overLimit.load(ordering: .relaxed)
        forwarding.prefetches += counters.prefetches.load(ordering: .relaxed)
        forwarding.udpQueries += counters.upstreamUDPQueries.load(ordering: .relaxed)
        forwarding.tcpQueries += counters.upstreamTCPQueries.load(ordering: .relaxed)
        forwarding.hedges += counters.hedges.load(ordering: .relaxed)
        forwarding.retries += counters.retries.load(ordering: .relaxed)
        forwarding.wrongAnswers += counters.wrongAnswers.load(ordering: .relaxed)
        forwarding.timeouts += counters.timeouts.load(ordering: .relaxed)
        forwarding.failures += counters.failures.load(ordering: .relaxed)
    }
}
