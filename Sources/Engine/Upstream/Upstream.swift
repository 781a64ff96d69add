import Synchronization

/// One upstream, with what is known of it. Its address is its identity: all workers share it, so that what one has
/// learned all know, and so do the configurations before and after a reload, so that nothing that was learned is lost,
/// and nobody looks after something else than the others.
///
/// Touched when it is asked or has answered, never for an answer from the cache.
final class Upstream: Sendable {
    let address: SocketAddress
    private let state = Mutex(State())

    private struct State {
        var health = UpstreamHealth()
        var features = UpstreamFeatures()
        var loop = LoopCheck()
        var queries: UInt64 = 0
        var answers: UInt64 = 0
        var timeouts: UInt64 = 0
        var errors: UInt64 = 0
        var guesses: UInt64 = 0
    }

    init(_ address: SocketAddress) {
        self.address = address
    }

    // MARK: Choosing it

    /// How it does.
    var health: UpstreamHealth { state.withLock { $0.health } }

    /// How it does, and whether it leads back to this server.
    var standing: (health: UpstreamHealth, leadsBack: Bool) { state.withLock { ($0.health, $0.loop.leadsBack) } }

    /// What it can do, as far as it is known.
    var features: UpstreamFeatures { state.withLock { $0.features } }

    /// A query is sent.
    ///
    /// - Returns: what the upstream can do, as far as it is known.
    @discardableResult
    func asking() -> UpstreamFeatures {
        state.withLock { state in
            state.queries += 1
            return state.features
        }
    }

    // MARK: What comes of it

    /// Notes what was learned of its abilities.
    func learn(_ change: (inout UpstreamFeatures) -> Void) {
        state.withLock { change(&$0.features) }
    }

    /// It has answered.
    ///
    /// - Parameter use: of what use that was.
    /// - Returns: what it can do, as far as it was known.
    @discardableResult
    func answered(sentAt: MonotonicTime, now: MonotonicTime, _ use: UpstreamHealth.Use) -> UpstreamFeatures {
        state.withLock { state in
            state.health.answered(sentAt: sentAt, now: now, use)
            switch use {
            case .useful: state.answers += 1
            case .useless: state.errors += 1
            case .undecided: break
            }
            return state.features
        }
    }

    /// A connection to it was of no use.
    func failed(now: MonotonicTime) {
        state.withLock { state in
            state.errors += 1
            state.health.failed(now: now)
        }
    }

    /// A query waits for longer than it should.
    func overdue(sentAt: MonotonicTime) {
        state.withLock { state in
            state.timeouts += 1
            state.health.overdue(sentAt: sentAt)
        }
    }

    /// It can't be reached.
    func unreachable() {
        state.withLock { state in
            state.errors += 1
            state.health.unreachable()
        }
    }

    /// It is said that it can't be reached.
    func refused() {
        state.withLock { state in
            state.errors += 1
            state.health.refused()
        }
    }

    /// Somebody has sent answers in its name, and may find the right one.
    func noteGuesses() { state.withLock { $0.guesses += 1 } }

    // MARK: Probing it

    /// If it must be probed, and nobody does: the caller must, from now on.
    func beginProbing() -> ProbeSchedule? { state.withLock { $0.health.beginProbing(besides: $0.loop.isDue) } }

    /// Whether those probes are to go on.
    func isProbed(by schedule: ProbeSchedule) -> Bool {
        state.withLock { $0.health.isProbed(by: schedule, besides: $0.loop.isDue) }
    }

    /// Whoever finds that it must be probed has to begin anew.
    func endProbing(_ schedule: ProbeSchedule) { state.withLock { $0.health.endProbing(schedule) } }

    /// It is about to be asked for the name of a number, to see whether it leads back.
    ///
    /// - Returns: `false` when it is being asked already.
    func beginLoopCheck(_ number: UInt64) -> Bool { state.withLock { $0.loop.begin(number) } }

    /// A query for the name of a number has arrived here.
    ///
    /// - Returns: whether this upstream was asked for it.
    func noteReturned(_ number: UInt64) -> Bool { state.withLock { $0.loop.returned(number) } }

    /// The answer has come, or is waited for no longer.
    func endLoopCheck(isAnswered: Bool) { state.withLock { $0.loop.end(isAnswered: isAnswered) } }

    /// How it does, for people.
    func statistics(now: MonotonicTime) -> UpstreamStatistics {
        state.withLock { state in
            UpstreamStatistics(
                address: address, isHealthy: state.health.isUsable(at: now) && !state.loop.leadsBack,
                roundTripTime: state.health.roundTripTime?.duration, queries: state.queries, answers: state.answers,
                timeouts: state.timeouts, errors: state.errors, guesses: state.guesses,
                isAnswering: !state.health.isSuspect, leadsBack: state.loop.leadsBack)
        }
    }
}
