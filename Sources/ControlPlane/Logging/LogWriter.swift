import Dispatch
import NIOCore
import NIOPosix
import Synchronization

/// Holds lines for a reader that may be slow, so that loggers never wait.
///
/// A thread of its own writes. Lines that do not fit are counted, and the count is logged once writing goes on.
final class LogWriter: Sendable {
    /// The most octets of waiting lines.
    static let maximumOctets = 1024 * 1024

    private struct State {
        var waiting: [String] = []
        var octets = 0
        var droppedCount = 0
        /// Whether the thread is writing or about to.
        var isWriting = false
    }

    private let state = Mutex(State())
    private let thread = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let write: @Sendable (String) -> Bool
    private let notice: @Sendable (Int) -> String

    /// - Parameters:
    ///   - write: takes lines and may block; returns whether they were written. Calls never overlap.
    ///   - notice: makes the line that says how many were dropped.
    init(write: @escaping @Sendable (String) -> Bool, notice: @escaping @Sendable (_ droppedCount: Int) -> String) {
        self.write = write
        self.notice = notice
    }

    /// Takes a line that ends with its line feed.
    func append(_ line: String) {
        let isIdle = state.withLock { state in
            guard state.octets + line.utf8.count <= Self.maximumOctets else {
                state.droppedCount += 1
                return false
            }
            state.waiting.append(line)
            state.octets += line.utf8.count
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if isIdle { thread.next().execute { self.writeWaiting() } }
    }

    /// Waits until all lines taken so far are written.
    ///
    /// - Returns: whether that happened in time.
    @discardableResult
    func flush(within time: Duration) -> Bool {
        let isDone = DispatchSemaphore(value: 0)
        // The thread works in order, so this runs after all lines.
        thread.next().execute { isDone.signal() }
        return isDone.wait(timeout: .now() + .milliseconds(Int(time / .milliseconds(1)))) == .success
    }

    /// Writes all waiting lines, many of them in one call.
    private func writeWaiting() {
        while let (lines, droppedCount) = takeWaiting() {
            if !lines.isEmpty, !write(lines.joined()) {
                state.withLock { $0.droppedCount += lines.count + droppedCount }
            } else if droppedCount > 0, !write(notice(droppedCount)) {
                state.withLock { $0.droppedCount += droppedCount }
            }
        }
    }

    /// - Returns: `nil` when there is nothing to write; the thread is done then.
    private func takeWaiting() -> ([String], droppedCount: Int)? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isWriting = false
                return nil
            }
            defer {
                state.waiting = []
                state.octets = 0
                state.droppedCount = 0
            }
            return (state.waiting, state.droppedCount)
        }
    }
}
