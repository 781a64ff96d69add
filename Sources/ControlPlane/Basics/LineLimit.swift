import Synchronization

/// How many lines may be written to the log in some time; others are only counted.
struct LineLimit: Sendable {
    enum Answer: Equatable {
        case written
        /// It is left out, as the first one: after ``LineLimit/window`` somebody should ask for the number of these.
        case firstLeft
        case left
    }

    /// The time that the limit is for.
    let window: Duration
    private let lines: Int
    private var begun: ContinuousClock.Instant?
    private var written = 0
    private var left = 0

    /// - Parameters:
    ///   - lines: that may be written.
    ///   - window: in this time.
    init(lines: Int = 100, in window: Duration = .seconds(1)) {
        self.lines = lines
        self.window = window
    }

    /// Asks for a line.
    mutating func take(now: ContinuousClock.Instant) -> Answer {
        if left == 0, begun.map({ $0.duration(to: now) >= window }) ?? true { (begun, written) = (now, 0) }
        if written < lines, left == 0 {
            written += 1
            return .written
        }
        left += 1
        return left == 1 ? .firstLeft : .left
    }

    /// The number of lines that were left out, which begins anew.
    mutating func takeLeft() -> Int {
        defer { (begun, written, left) = (nil, 0, 0) }
        return left
    }
}

/// Lines of the log of which there may be many: those above a limit are counted, and told of together.
final class LimitedLines: Sendable {
    private let limit: Mutex<LineLimit>
    private let time: TimeSource
    private let timers: any Timers

    init(_ limit: LineLimit = LineLimit(), time: TimeSource, timers: any Timers) {
        self.limit = Mutex(limit)
        self.time = time
        self.timers = timers
    }

    /// Asks for a line.
    ///
    /// - Parameter tellOfOthers: gets the number of lines that were left out, some time after the first of these.
    /// - Returns: whether it is to be written.
    func take(_ tellOfOthers: @escaping @Sendable (_ count: Int) -> Void) -> Bool {
        let now = time.now().monotonic
        let (answer, window) = limit.withLock { ($0.take(now: now), $0.window) }
        if answer == .firstLeft {
            timers.once(after: window) { [self] in
                let count = limit.withLock { $0.takeLeft() }
                if count > 0 { tellOfOthers(count) }
            }
        }
        return answer == .written
    }
}
