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
