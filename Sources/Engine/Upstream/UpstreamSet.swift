import Synchronization

/// The upstreams of one configuration, and the choice between them.
final class UpstreamSet: Sendable {
    /// In the configured order.
    let upstreams: [Upstream]
    /// Of each, whether letters may be in random case.
    private let mayMixCase: [Bool]
    private let state: Mutex<State>

    private struct State {
        var policy: any UpstreamPolicy
        /// Kept, for its memory.
        var candidates: [UpstreamCandidate] = []
    }

    /// Whom to ask.
    struct Choice {
        var index: Int
        /// One that is asked too, to learn how it does.
        var besides: Int?
    }

    /// - Parameter previous: those until now; upstreams that stay are the same objects.
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

    /// The upstream of that place.
    subscript(_ index: Int) -> Upstream { upstreams[index] }

    /// What an upstream can do, as far as it is known, and how it is to be asked.
    func features(of index: Int) -> UpstreamFeatures {
        var features = upstreams[index].features
        features.mayMixCase = mayMixCase[index]
        return features
    }

    /// The place of an upstream; `nil`: it is not, or no longer, one of these.
    func index(of upstream: Upstream) -> Int? { upstreams.firstIndex { $0 === upstream } }

    /// Chooses the upstream for an attempt: one that answers as usual and was not asked before if there is any, then
    /// one that was not asked before, then any.
    ///
    /// - Parameters:
    ///   - asked: those that were asked for this query before.
    ///   - excluded: those of them that must not be asked again: they said that they can't answer it, or are about to
    ///     send a long answer.
    ///   - mayLeadBack: whether one may be chosen that leads back to this server.
    ///   - random: a random number.
    /// - Returns: `nil` when none is left.
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
            let besides =
                asked.isEmpty && bestRank == 0
                ? state.policy.explore(besides: chosen, among: state.candidates, random: random >> 16) : nil
            return Choice(index: chosen, besides: besides)
        }
    }

    /// How each does, in the configured order.
    func statistics(now: MonotonicTime) -> [UpstreamStatistics] { upstreams.map { $0.statistics(now: now) } }
}
