import Synchronization

/// What one worker's clients ask, for people: the questions asked most, and the newest ones that failed.
///
/// The worker writes it, and others read it. The worker never waits for a reader: while one copies, what the worker
/// would note is left out, and its weight goes to the next question that is counted.
final class QueryJournal: Sendable {
    /// After this long a new count begins; the one before is still shown.
    static let span = Nanoseconds.seconds(3600)

    private let state: Mutex<State>

    private struct State: Sendable {
        var current = NameSketch()
        var currentBegin: MonotonicTime
        var previous = NameSketch()
        var previousBegin: MonotonicTime?
        /// Queries and counted ones, of the present count and the one before.
        var queries: (current: UInt64, previous: UInt64) = (0, 0)
        var samples: (current: UInt64, previous: UInt64) = (0, 0)
        var nameErrors = FailureLog()
        var serverFailures = FailureLog()
        var refusals = FailureLog()
        /// Failures that were not noted, because there were too many within a second.
        var skipped: UInt64 = 0
        /// xorshift64*, seeded from the system.
        var random = UInt64.random(in: 1...UInt64.max)

        mutating func next() -> UInt64 {
            random ^= random >> 12
            random ^= random << 25
            random ^= random >> 27
            return random &* 0x2545_F491_4F6C_DD1D
        }
    }

    init(now: MonotonicTime = .now) {
        state = Mutex(State(currentBegin: now))
    }

    // MARK: The worker's side

    /// Counts a question.
    ///
    /// - Parameters:
    ///   - name: in wire form.
    ///   - hash: of the name, without regard to case, and the type.
    ///   - weight: the number of queries that it stands for.
    /// - Returns: `false` if somebody is reading; nothing was counted then.
    func count(_ name: RawSpan, type: UInt16, hash: UInt64, weight: UInt64, now: MonotonicTime) -> Bool {
        let counted: Void? = state.withLockIfAvailable { state in
            if now - state.currentBegin >= Self.span {
                swap(&state.current, &state.previous)
                state.current.removeAll()
                state.previousBegin = state.currentBegin
                state.currentBegin = now
                state.queries = (0, state.queries.current)
                state.samples = (0, state.samples.current)
            }
            state.queries.current &+= weight
            state.samples.current &+= 1
            let random = state.next()
            state.current.count(name, type: type, hash: hash, weight: weight, random: random)
        }
        return counted != nil
    }

    /// Notes a question that was answered NXDOMAIN, SERVFAIL or REFUSED.
    func note(
        _ failure: FailedQuery.Code, _ name: RawSpan, _ type: UInt16, _ hash: UInt64, from client: IPAddress?,
        now: MonotonicTime
    ) {
        state.withLockIfAvailable { state in
            switch failure {
            case .nameError: state.nameErrors.note(name, type: type, hash: hash, from: client, now: now)
            case .serverFailure: state.serverFailures.note(name, type: type, hash: hash, from: client, now: now)
            case .refused: state.refusals.note(name, type: type, hash: hash, from: client, now: now)
            }
        }
    }

    /// Notes that failures were left out.
    func noteSkipped(_ count: UInt64) {
        state.withLockIfAvailable { $0.skipped &+= count }
    }

    // MARK: The reader's side

    /// Adds a copy of everything to `statistics`; may be called on any thread.
    func add(to statistics: inout QueryStatistics, now: MonotonicTime) {
        // Nothing is shared with the copy: the arrays in it are made from the worker's, octet by octet.
        let copy = state.withLock { state -> Copy in
            var copy = Copy(begin: state.previousBegin ?? state.currentBegin)
            copy.queries = state.queries.current &+ state.queries.previous
            copy.samples = state.samples.current &+ state.samples.previous
            copy.skipped = state.skipped
            state.current.forEach { copy.names.append(Copy.Name(octets: $0, type: $1, count: $2)) }
            state.previous.forEach { copy.names.append(Copy.Name(octets: $0, type: $1, count: $2)) }
            copy.add(.nameError, state.nameErrors, now)
            copy.add(.serverFailure, state.serverFailures, now)
            copy.add(.refused, state.refusals, now)
            return copy
        }
        statistics.add(copy, age: (now - copy.begin).duration)
    }

    /// What a reader takes.
    struct Copy: Sendable {
        struct Name: Sendable {
            var octets: [UInt8]
            var type: UInt16
            var count: UInt64
        }

        var begin: MonotonicTime
        var queries: UInt64 = 0
        var samples: UInt64 = 0
        var skipped: UInt64 = 0
        var names: [Name] = []
        var failures: [FailedQuery] = []

        fileprivate mutating func add(_ code: FailedQuery.Code, _ log: borrowing FailureLog, _ now: MonotonicTime) {
            log.forEach { name, type, client, count, time in
                failures.append(
                    FailedQuery(
                        code: code, name: name, type: type, client: client, count: count, age: (now - time).duration))
            }
        }
    }
}
