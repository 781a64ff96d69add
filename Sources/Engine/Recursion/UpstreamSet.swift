import Synchronization

/// The upstreams, with what is known of each: shared by all workers, so that what one has learned all know.
///
/// Touched when an upstream is asked or has answered, never for an answer from the cache.
final class UpstreamSet: Sendable {
    /// In the configured order.
    let addresses: [SocketAddress]
    private let state: Mutex<State>

    private struct State {
        var policy: any UpstreamPolicy
        var upstreams: [Upstream]
        /// Kept, for its memory.
        var candidates: [UpstreamCandidate] = []
    }

    private struct Upstream {
        var health = UpstreamHealth()
        var features = UpstreamFeatures()
        var queries: UInt64 = 0
        var answers: UInt64 = 0
        var timeouts: UInt64 = 0
        var errors: UInt64 = 0
    }

    /// Whom to ask.
    struct Choice {
        var index: Int
        /// One that is asked too, to learn how it does.
        var besides: Int?
        /// How long to wait before another attempt.
        var patience: Nanoseconds
    }

    /// - Parameter previous: what was known until now; upstreams that stay keep it.
    init(_ configuration: UpstreamConfiguration, previous: UpstreamSet? = nil) {
        addresses = configuration.servers
        var known: [SocketAddress: Upstream] = [:]
        if let previous {
            previous.state.withLock { state in
                for (address, upstream) in zip(previous.addresses, state.upstreams) { known[address] = upstream }
            }
        }
        let upstreams = configuration.servers.map { known[$0] ?? Upstream() }
        state = Mutex(State(policy: configuration.policy.makePolicy(), upstreams: upstreams))
    }

    /// Chooses the upstream for an attempt: one that answers as usual and was not asked before if there is any, then
    /// one that was not asked before, then any.
    ///
    /// - Parameters:
    ///   - asked: those that were asked for this query before.
    ///   - failed: those of them that said that they can't answer it.
    ///   - random: a random number.
    /// - Returns: `nil` when all have failed.
    func choose(asked: [Int], failed: [Int], now: MonotonicTime, random: UInt64) -> Choice? {
        state.withLock { state in
            state.candidates.removeAll(keepingCapacity: true)
            var bestRank = Int.max
            for (index, upstream) in state.upstreams.enumerated() where !failed.contains(index) {
                let rank = (asked.contains(index) ? 2 : 0) + (upstream.health.isUsable(at: now) ? 0 : 1)
                guard rank <= bestRank else { continue }
                if rank < bestRank { state.candidates.removeAll(keepingCapacity: true) }
                bestRank = rank
                state.candidates.append(UpstreamCandidate(index: index, roundTripTime: upstream.health.roundTripTime))
            }
            guard !state.candidates.isEmpty else { return nil }
            let chosen = state.policy.choose(among: state.candidates, random: random)
            guard state.upstreams.indices.contains(chosen) else { return nil }
            let besides =
                asked.isEmpty && bestRank == 0
                ? state.policy.explore(besides: chosen, among: state.candidates, random: random >> 16) : nil
            return Choice(index: chosen, besides: besides, patience: state.upstreams[chosen].health.patience)
        }
    }

    /// What an upstream can do, as far as it is known.
    func features(of index: Int) -> UpstreamFeatures {
        state.withLock { $0.upstreams[index].features }
    }

    /// Notes what was learned of an upstream's abilities.
    func learn(_ index: Int, _ change: (inout UpstreamFeatures) -> Void) {
        state.withLock { change(&$0.upstreams[index].features) }
    }

    /// A query is sent.
    ///
    /// - Returns: what the upstream can do, as far as it is known.
    @discardableResult
    func asking(_ index: Int) -> UpstreamFeatures {
        state.withLock { state in
            state.upstreams[index].queries += 1
            return state.upstreams[index].features
        }
    }

    /// An upstream has answered.
    ///
    /// - Returns: what the upstream can do, as far as it was known.
    @discardableResult
    func answered(_ index: Int, sentAt: MonotonicTime, now: MonotonicTime, isUseful: Bool) -> UpstreamFeatures {
        state.withLock { state in
            state.upstreams[index].health.answered(sentAt: sentAt, now: now, isUseful: isUseful)
            if isUseful { state.upstreams[index].answers += 1 } else { state.upstreams[index].errors += 1 }
            return state.upstreams[index].features
        }
    }

    /// A query waits for longer than it should.
    ///
    /// - Returns: whether the caller must probe the upstream from now on.
    func overdue(_ index: Int, sentAt: MonotonicTime) -> Bool {
        state.withLock { state in
            state.upstreams[index].timeouts += 1
            return state.upstreams[index].health.overdue(sentAt: sentAt)
        }
    }

    /// An upstream can't be reached.
    ///
    /// - Returns: whether the caller must probe the upstream from now on.
    func unreachable(_ index: Int) -> Bool {
        state.withLock { state in
            state.upstreams[index].errors += 1
            return state.upstreams[index].health.unreachable()
        }
    }

    /// Whether an upstream is suspect.
    func isSuspect(_ index: Int) -> Bool {
        state.withLock { $0.upstreams[index].health.isSuspect }
    }

    /// How each does, in the configured order.
    func statistics(now: MonotonicTime) -> [UpstreamStatistics] {
        state.withLock { state in
            zip(addresses, state.upstreams).map { address, upstream in
                UpstreamStatistics(
                    address: address, isHealthy: upstream.health.isUsable(at: now),
                    roundTripTime: upstream.health.roundTripTime?.duration, queries: upstream.queries,
                    answers: upstream.answers, timeouts: upstream.timeouts, errors: upstream.errors)
            }
        }
    }
}

/// What an upstream can do, learned from its answers.
struct UpstreamFeatures: Equatable {
    /// It repeats the letters of a name in their case (draft-vixie-dnsext-dns0x20).
    enum CasePreservation { case unknown, yes, no }

    /// Connections in a row without an answer, after which none is tried for a while.
    static let maximumFailedConnections = 3
    /// That while.
    static let connectionPause = Nanoseconds.seconds(1)

    var casePreservation = CasePreservation.unknown
    /// It understands EDNS (RFC 6891).
    var usesEDNS = true
    /// Connections in a row that ended without an answer.
    private(set) var failedConnections = 0
    private var noConnectionUntil = MonotonicTime.distantPast

    /// Whether a connection is worth trying.
    func takesConnections(at now: MonotonicTime) -> Bool { now >= noConnectionUntil }

    /// A connection has ended without an answer.
    mutating func connectionFailed(now: MonotonicTime) {
        failedConnections += 1
        if failedConnections >= Self.maximumFailedConnections { noConnectionUntil = now + Self.connectionPause }
    }

    /// An answer has come on a connection.
    mutating func connectionAnswered() {
        failedConnections = 0
        noConnectionUntil = .distantPast
    }
}
