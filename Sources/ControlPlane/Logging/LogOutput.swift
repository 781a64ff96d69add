import Foundation
public import Logging
import Synchronization

/// Where log lines go, and what all loggers on it share: the lowest level and the form of a line.
///
/// Both can be changed at any time from any thread.
public final class LogOutput: Sendable {
    /// The process's standard error.
    public static let standardError = LogOutput { line in
        // A log that can't be written has nowhere to be reported.
        try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
    }

    private let settings: Mutex<Configuration.Log>
    /// The level's place in ``levels``: it is read for each log statement, so without the lock.
    private let levelIndex: Atomic<Int>
    private let write: Mutex<@Sendable (String) -> Void>
    private let now: @Sendable () -> WallTime

    private static let levels = Logger.Level.allCases

    /// Joins the parts.
    ///
    /// - Parameters:
    ///   - write: takes one line with its line feed; never called twice at once.
    ///   - now: the time of day.
    init(write: @escaping @Sendable (String) -> Void, now: @escaping @Sendable () -> WallTime = { .now }) {
        settings = Mutex(Configuration.Log())
        levelIndex = Atomic(Self.levels.firstIndex(of: Configuration.Log().level) ?? 0)
        self.write = Mutex(write)
        self.now = now
    }

    /// Takes over the level and form, for all loggers and from now on.
    public func apply(_ log: Configuration.Log) {
        settings.withLock { $0 = log }
        levelIndex.store(Self.levels.firstIndex(of: log.level) ?? 0, ordering: .relaxed)
    }

    /// The lowest level that is logged.
    public var level: Logger.Level { Self.levels[levelIndex.load(ordering: .relaxed)] }

    /// A logger whose lines go here.
    public func logger(label: String) -> Logger {
        Logger(label: label) { _ in LineLogHandler(output: self) }
    }

    /// Writes one line.
    func log(_ level: Logger.Level, _ message: String, metadata: Logger.Metadata) {
        let format = settings.withLock { $0.format }
        let time = String(decoding: CalendarTime(now()).rfc3339, as: UTF8.self)
        let line =
            switch format {
            case .text: LogLine.text(time: time, level: level, message: message, metadata: metadata)
            case .json: LogLine.json(time: time, level: level, message: message, metadata: metadata)
            }
        write.withLock { $0(line) }
    }
}
