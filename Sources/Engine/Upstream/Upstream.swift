import Synchronization

/// One upstream, with what is known about it. Its address is its identity. All workers share it, so what one has
/// learned, all know. The configurations before and after a reload share it too: nothing learned is lost, and none
/// watches over a copy.
///
/// It is accessed when the upstream is asked or has answered, never for an answer from the cache.
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
        var lastFailure: (kind: UpstreamStatistics.Failure.Kind, time: MonotonicTime)?
    }

    init(_ address: SocketAddress) {
        self.address = address
    }

    // MARK: Choosing it

    /// How it is doing.
    var health: UpstreamHealth { state.withLock { $0.health } }

    /// How it is doing, and whether it leads back to this server.
    var standing: (health: UpstreamHealth, leadsBack: Bool) { state.withLock { ($0.health, $0.loop.leadsBack) } }

    /// What it can do, as far as that is known.
    var features: UpstreamFeatures { state.withLock { $0.features } }

    /// Notes that a query is sent.
    ///
    /// - Returns: what the upstream can do, as far as that is known.
    @discardableResult
    func asking() -> UpstreamFeatures {
        state.withLock { state in
            state.queries += 1
            return state.features
        }
    }

    // MARK: What comes of it

    /// Notes what was learned about its abilities.
    func learn(_ change: (inout UpstreamFeatures) -> Void) {
        state.withLock { change(&$0.features) }
    }

    /// Notes that it has answered.
    ///
    /// - Parameter use: how useful the answer was.
    /// - Returns: what it can do, as far as that was known.
    @discardableResult
    func answered(sentAt: MonotonicTime, now: MonotonicTime, _ use: UpstreamHealth.Use) -> UpstreamFeatures {
        state.withLock { state in
            state.health.answered(sentAt: sentAt, now: now, use)
            switch use {
            case .useful: state.answers += 1
            case .useless:
                state.errors += 1
                state.lastFailure = (.answer, now)
            case .undecided: break
            }
            return state.features
        }
    }

    /// Notes that a connection to it was of no use.
    func failed(now: MonotonicTime) {
        state.withLock { state in
            state.errors += 1
            state.lastFailure = (.connection, now)
            state.health.failed(now: now)
        }
    }

    /// Notes that a query waits longer than it should.
    func overdue(sentAt: MonotonicTime) {
        state.withLock { state in
            state.timeouts += 1
            state.lastFailure = (.timeout, .now)
            state.health.overdue(sentAt: sentAt)
        }
    }

    /// Notes that it can't be reached.
    func unreachable() {
        state.withLock { state in
            state.errors += 1
            state.lastFailure = (.unreachable, .now)
            state.health.unreachable()
        }
    }

    /// Notes a message that says that it can't be reached.
    func refused() {
        state.withLock { state in
            state.errors += 1
            state.lastFailure = (.unreachable, .now)
            state.health.refused()
        }
    }

    /// Notes that somebody has sent answers in its name, and may find the right one.
    func noteGuesses() { state.withLock { $0.guesses += 1 } }

    // MARK: Probing it

    /// Begins a series of probes, if the upstream must be probed and nobody does so. The caller has to send them from
    /// now on.
    func beginProbing() -> ProbeSchedule? { state.withLock { $0.health.beginProbing(besides: $0.loop.isDue) } }

    /// Whether a series of probes should go on.
    func isProbed(by schedule: ProbeSchedule) -> Bool {
        state.withLock { $0.health.isProbed(by: schedule, besides: $0.loop.isDue) }
    }

    /// Ends a series of probes. Whoever then finds that the upstream must be probed begins a new one.
    func endProbing(_ schedule: ProbeSchedule) { state.withLock { $0.health.endProbing(schedule) } }

    /// Notes that it is about to be asked for the name of a number, to find out whether it leads back.
    ///
    /// - Returns: `false` if it is being asked already.
    func beginLoopCheck(_ number: UInt64) -> Bool { state.withLock { $0.loop.begin(number) } }

    /// Notes that a query for the name of a number has arrived here.
    ///
    /// - Returns: whether this upstream was asked for it.
    func noteReturned(_ number: UInt64) -> Bool { state.withLock { $0.loop.returned(number) } }

    /// Notes that the answer has arrived, or is no longer waited for.
    func endLoopCheck(isAnswered: Bool) { state.withLock { $0.loop.end(isAnswered: isAnswered) } }

    /// Its statistics, for people.
    func statistics(now: MonotonicTime) -> UpstreamStatistics {
        state.withLock { state in
            UpstreamStatistics(
                address: address, isHealthy: state.health.isUsable(at: now) && !state.loop.leadsBack,
                roundTripTime: state.health.roundTripTime?.duration, queries: state.queries, answers: state.answers,
                timeouts: state.timeouts, errors: state.errors, guesses: state.guesses,
                isAnswering: !state.health.isSuspect, leadsBack: state.loop.leadsBack,
                lastFailure: state.lastFailure.map { .init(kind: $0.kind, age: (now - $0.time).duration) })
        }
    }
}
