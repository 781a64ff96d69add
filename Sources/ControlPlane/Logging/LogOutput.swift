public import Logging
import Synchronization

/// The destination of log lines, and what all its loggers share: the lowest level and the form of a line.
///
/// Both can be changed at any time from any thread. A slow reader holds nobody up: see ``LogWriter``.
public final class LogOutput: Sendable {
    /// The process's standard error.
    public static let standardError = LogOutput(write: StandardError.write)

    private let form: Form
    /// The level's index in ``levels``: atomic, because every log statement reads it.
    private let levelIndex: Atomic<Int>
    private let writer: LogWriter

    private static let levels = Logger.Level.allCases

    /// How a line looks.
    private final class Form: Sendable {
        let settings = Mutex(Configuration.Log())
        let now: @Sendable () -> WallTime

        init(now: @escaping @Sendable () -> WallTime) { self.now = now }

        func line(_ level: Logger.Level, _ message: String, metadata: Logger.Metadata) -> String {
            let time = String(decoding: CalendarTime(now()).rfc3339, as: UTF8.self)
            return switch settings.withLock({ $0.format }) {
            case .text: LogLine.text(time: time, level: level, message: message, metadata: metadata)
            case .json: LogLine.json(time: time, level: level, message: message, metadata: metadata)
            }
        }
    }

    /// An output for some writer.
    ///
    /// - Parameters:
    ///   - write: takes lines, each with its line feed; may block. Returns whether they were written.
    ///   - now: the time of day.
    init(write: @escaping @Sendable (String) -> Bool, now: @escaping @Sendable () -> WallTime = { .now }) {
        let form = Form(now: now)
        self.form = form
        levelIndex = Atomic(Self.levels.firstIndex(of: Configuration.Log().level) ?? 0)
        writer = LogWriter(write: write) { droppedCount in
            form.line(
                .warning, "log lines were lost: they came faster than they were read",
                metadata: ["count": .stringConvertible(droppedCount)])
        }
    }

    /// Adopts the level and form for all loggers from now on.
    public func apply(_ log: Configuration.Log) {
        form.settings.withLock { $0 = log }
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
        writer.append(form.line(level, message, metadata: metadata))
    }

    /// Writes a line unchanged, for the person who started the program.
    public func print(_ line: String) {
        writer.append(line + "\n")
    }

    /// Writes why the program ends, in words.
    public func printFailure(_ error: any Error) {
        printFailure(FileReason.words(for: error))
    }

    /// Writes why the program ends in the form of a log line; the text form begins with the program's name.
    public func printFailure(_ reason: String) {
        let isJSON = form.settings.withLock { $0.format == .json }
        if isJSON { log(.critical, reason, metadata: [:]) } else { print("kong-discovery: error: \(reason)") }
    }

    /// Waits until all lines are written or `time` is over.
    ///
    /// - Returns: whether all are written.
    @discardableResult
    public func flush(within time: Duration = .seconds(1)) -> Bool {
        writer.flush(within: time)
    }
}
