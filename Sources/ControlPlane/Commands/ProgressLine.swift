import Synchronization

/// A line on standard error that says how far something is, if that is a terminal.
final class ProgressLine: Sendable {
    /// How often it changes at most.
    private static let interval = Duration.milliseconds(100)

    /// Whether somebody sees it.
    private let isWanted: Bool
    private let next = Mutex<ContinuousClock.Instant?>(nil)

    init(_ terminal: Terminal = Terminal.errors) {
        isWanted = terminal.columns != nil
    }

    /// Shows a text in place of the last one, unless that has just come.
    func show(_ text: @autoclosure () -> String) {
        guard isWanted else { return }
        let isDue = next.withLock { next in
            let now = ContinuousClock.now
            if let next, now < next { return false }
            next = now.advanced(by: Self.interval)
            return true
        }
        if isDue { _ = StandardError.write("\r\u{1B}[K\(text()) …") }
    }

    /// Takes it off the terminal.
    func clear() {
        // What comes next is due at once.
        if next.withLock({ $0.take() }) != nil { _ = StandardError.write("\r\u{1B}[K") }
    }
}
