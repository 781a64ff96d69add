import Dispatch
import Engine
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Writes down what DNS workers put aside for the query log: to a file, or to the server's log.
///
/// A thread of its own does that, which alone waits for a disk or a reader. What it can't keep up with is dropped and
/// counted. Nothing runs before there is a target.
final class QueryLogWriter: Sendable {
    /// Where lines go.
    enum Target: Sendable {
        /// The server's log, at level info.
        case log
        /// A file of its own, one JSON object a line.
        case file(QueryLogFile)
    }

    /// How often the workers' queries are taken.
    private static let interval = TimeAmount.milliseconds(20)
    /// The same while there are many.
    private static let busyInterval = TimeAmount.milliseconds(1)
    private static let busyCount = 256
    /// How many octets are written at once.
    private static let chunkOctets = 65_536
    /// The shortest time between two reports of failures.
    private static let reportInterval = Duration.seconds(60)

    private struct State {
        var target: Target?
        var octets: [UInt8] = []
        var lineCount = 0
        /// The rest of a line of which only the beginning could be written.
        var rest: [UInt8] = []
        var isFailing = false
        /// Lines that were lost since the last report.
        var lostSinceReport: UInt64 = 0
        var reportedAt: ContinuousClock.Instant?
        var isScheduled = false
    }

    private let take: @Sendable ((QueryRecord) -> Void) -> Int
    private let logger: Logger
    private let group = Mutex<MultiThreadedEventLoopGroup?>(nil)
    /// Only the thread uses it.
    private let state = Mutex(State())
    private let written = Atomic<UInt64>(0)
    private let lost = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - logger: gets the lines if there is no file, and what goes wrong with it.
    ///   - take: takes the queries that there are, see ``Engine/takeQueries(_:)``.
    init(logger: Logger, take: @escaping @Sendable ((QueryRecord) -> Void) -> Int) {
        self.logger = logger
        self.take = take
    }

    /// How many queries were written, and how many lines could not be.
    var counts: (written: UInt64, lost: UInt64) {
        (written.load(ordering: .relaxed), lost.load(ordering: .relaxed))
    }

    /// Sends what comes from now on somewhere else; `nil`: nowhere. What came before still goes to the old target.
    /// Returns at once.
    ///
    /// - Parameter completion: called on the writer's thread when this is so.
    func adopt(_ target: Target?, completion: @escaping @Sendable () -> Void = {}) {
        let loop = group.withLock { group -> (any EventLoop)? in
            if group == nil, target != nil { group = MultiThreadedEventLoopGroup(numberOfThreads: 1) }
            return group?.next()
        }
        loop?.execute {
            self.state.withLock { state in
                _ = self.drain(&state)
                if case .file = state.target, !state.rest.isEmpty { self.drop(1, &state) }
                state.rest = []
                state.isFailing = false
                state.target = target
            }
            completion()
            self.turn()
        }
    }

    /// Writes what there is, if that is possible in time.
    func finish(within time: Duration = .seconds(1)) {
        guard let loop = group.withLock({ $0?.next() }) else { return }
        let isDone = DispatchSemaphore(value: 0)
        loop.execute {
            self.state.withLock { _ = self.drain(&$0) }
            isDone.signal()
        }
        _ = isDone.wait(timeout: .now() + .milliseconds(Int(time.milliseconds)))
    }

    // MARK: The thread

    /// Takes what there is, and comes back later as long as there is a target.
    private func turn() {
        let delay = state.withLock { state -> TimeAmount? in
            guard state.target != nil, !state.isScheduled else { return nil }
            state.isScheduled = true
            return drain(&state) >= Self.busyCount ? Self.busyInterval : Self.interval
        }
        guard let delay, let loop = group.withLock({ $0?.next() }) else { return }
        loop.scheduleTask(in: delay) {
            self.state.withLock { $0.isScheduled = false }
            self.turn()
        }
    }

    /// - Returns: how many queries there were.
    private func drain(_ state: inout State) -> Int {
        guard let target = state.target else { return 0 }
        let now = WallTime.microsecondsNow
        switch target {
        case .log:
            let count = take { logger.info("query", metadata: QueryLogLine.metadata($0, now: now)) }
            written.add(UInt64(count), ordering: .relaxed)
            return count
        case .file(let file):
            let count = take { record in
                QueryLogLine.append(record, now: now, to: &state.octets)
                state.lineCount += 1
                if state.octets.count >= Self.chunkOctets { write(to: file, &state) }
            }
            write(to: file, &state)
            return count
        }
    }

    /// Writes the lines that are ready.
    private func write(to file: QueryLogFile, _ state: inout State) {
        guard state.lineCount > 0 else { return }
        defer {
            state.octets.removeAll(keepingCapacity: true)
            state.lineCount = 0
        }
        if !state.rest.isEmpty {
            // The line that was begun comes to its end first, so that no other one is glued to it.
            let (count, failure) = file.write(state.rest)
            state.rest.removeFirst(count)
            if let failure {
                drop(state.lineCount, &state)
                return report(failure, of: file, &state)
            }
            written.add(1, ordering: .relaxed)
        }
        let (count, failure) = file.write(state.octets)
        guard let failure else {
            written.add(UInt64(state.lineCount), ordering: .relaxed)
            return reportRecovery(of: file, &state)
        }
        let lines = state.octets[..<count].count { $0 == UInt8(ascii: "\n") }
        written.add(UInt64(lines), ordering: .relaxed)
        var dropped = state.lineCount - lines
        if count > 0, state.octets[count - 1] != UInt8(ascii: "\n") {
            state.rest = Array(state.octets[count...].prefix { $0 != UInt8(ascii: "\n") }) + [UInt8(ascii: "\n")]
            dropped -= 1
        }
        drop(dropped, &state)
        report(failure, of: file, &state)
    }

    private func drop(_ count: Int, _ state: inout State) {
        lost.add(UInt64(count), ordering: .relaxed)
        state.lostSinceReport &+= UInt64(count)
    }

    private func report(_ failure: QueryLogFile.Failure, of file: QueryLogFile, _ state: inout State) {
        guard !state.isFailing else { return }
        state.isFailing = true
        // A disk that is full again and again is told of once a minute.
        let now = ContinuousClock.now
        guard state.reportedAt.map({ now - $0 >= Self.reportInterval }) ?? true else { return }
        state.reportedAt = now
        logger.error(
            "the query log can't be written: lines are lost",
            metadata: ["file": "\(file.path)", "reason": "\(failure.reason)"])
    }

    private func reportRecovery(of file: QueryLogFile, _ state: inout State) {
        guard state.isFailing else { return }
        state.isFailing = false
        logger.info(
            "the query log is written again",
            metadata: ["file": "\(file.path)", "lost": .stringConvertible(state.lostSinceReport)])
        state.lostSinceReport = 0
    }
}

extension LoadedConfiguration {
    /// Where the query log goes; `nil`: there is none. The file is opened.
    ///
    /// - Throws: ``ConfigurationError`` if that is not possible.
    func queryLogTarget() throws(ConfigurationError) -> QueryLogWriter.Target? {
        let settings = configuration.queryLog
        guard settings.sample > 0 else { return nil }
        guard !settings.file.isEmpty else { return .log }
        do throws(QueryLogFile.Failure) {
            return .file(try QueryLogFile(path: settings.file))
        } catch {
            let key = "query_log.file"
            let message = "\(FileReason.absolute(settings.file)): can't be written: \(error.reason)"
            throw ConfigurationError([ConfigurationProblem(origin: origins[key], key: key, message: message)])
        }
    }
}
