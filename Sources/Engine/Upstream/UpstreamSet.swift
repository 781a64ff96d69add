import Synchronization

/// The upstreams of one configuration, and the choice between them.
final class UpstreamSet: Sendable {
    /// The upstreams in the configured order.
    let upstreams: [Upstream]
    /// For each upstream, whether letters may have random case.
    private let mayMixCase: [Bool]
    private let state: Mutex<State>

    private struct State {
        var policy: any UpstreamPolicy
        /// An array that is kept for its memory.
        var candidates: [UpstreamCandidate] = []
    }

    /// Which upstream to ask.
    struct Choice {
        var index: Int
        /// Another one that is asked too, to learn how it is doing.
        var explored: Int?
    }

    /// - Parameter previous: the upstreams until now; those that stay are the same objects.
    init(_ configuration: UpstreamConfiguration, previous: UpstreamSet? = nil) {
        var known: [SocketAddress: Upstream] = [:]
        for upstream in previous?.upstreams ?? [] { known[upstream.address] = upstream }
        var upstreams: [Upstream] = []
        for address in configuration.servers {
            let upstream = known[address] ?? Upstream(address)
            known[address] = upstream
            upstreams.append(upstream)
        }
        self.upstreams = upstreams
        mayMixCase = configuration.servers.map { configuration.caseRandomization.applies(to: $0.address) }
        state = Mutex(State(policy: configuration.policy.makePolicy()))
    }

    /// The upstream with this index.
    subscript(_ index: Int) -> Upstream { upstreams[index] }

    /// What an upstream can do, as far as that is known, and how it is to be asked.
    func features(of index: Int) -> UpstreamFeatures {
        var features = upstreams[index].features
        features.mayMixCase = mayMixCase[index]
        return features
    }

    /// The index of an upstream; `nil`: it is not, or no longer, one of these.
    func index(of upstream: Upstream) -> Int? { upstreams.firstIndex { $0 === upstream } }

    /// Chooses the upstream for an attempt: preferably one that answers as usual and was not asked before, then one
    /// that was not asked before, then any.
    ///
    /// - Parameters:
    ///   - asked: the upstreams that were asked for this query before.
    ///   - excluded: those of them that must not be asked again, because they said that they can't answer the query, or
    ///     are about to send a long answer.
    ///   - mayLeadBack: whether an upstream may be chosen that leads back to this server.
    ///   - random: a random number.
    /// - Returns: `nil` if none is left.
    func choose(
        asked: [Int], excluded: [Int], mayLeadBack: Bool = false, now: MonotonicTime, random: UInt64
    ) -> Choice? {
        state.withLock { state in
            state.candidates.removeAll(keepingCapacity: true)
            var bestRank = Int.max
            for (index, upstream) in upstreams.enumerated() where !excluded.contains(index) {
                let (health, leadsBack) = upstream.standing
                guard mayLeadBack || !leadsBack else { continue }
                let rank = (asked.contains(index) ? 2 : 0) + (health.isUsable(at: now) ? 0 : 1)
                guard rank <= bestRank else { continue }
                if rank < bestRank { state.candidates.removeAll(keepingCapacity: true) }
                bestRank = rank
                state.candidates.append(UpstreamCandidate(index: index, roundTripTime: health.roundTripTime))
            }
            guard !state.candidates.isEmpty else { return nil }
            let chosen = state.policy.choose(among: state.candidates, random: random)
            guard upstreams.indices.contains(chosen) else { return nil }
            let explored =
                asked.isEmpty && bestRank == 0
                ? state.policy.explore(besides: chosen, among: state.candidates, random: random >> 16) : nil
            return Choice(index: chosen, explored: explored)
        }
    }

    /// The statistics of each upstream, in the configured order.
    func statistics(now: MonotonicTime) -> [UpstreamStatistics] { upstreams.map { $0.statistics(now: now) } }
}
