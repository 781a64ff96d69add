import Logging
import Synchronization

/// Logs when names begin and end to answer their last known instances: one line for each service.
final class LastKnownLog: Sendable {
    private let logger: Logger
    private let time: TimeSource
    private let timers: any Timers
    private let limit = Mutex(LineLimit())

    init(logger: Logger, time: TimeSource, timers: any Timers) {
        self.logger = logger
        self.time = time
        self.timers = timers
    }

    /// Logs a hundred lines a second at most; others are counted.
    func note(_ turns: [LastKnownTurn]) {
        for turn in turns {
            switch limit.withLock({ $0.take(now: time.now().monotonic) }) {
            case .written: log(turn)
            case .firstLeft: timers.once(after: limit.withLock { $0.window }) { [self] in tellOfOthers() }
            case .left: continue
            }
        }
    }

    private func log(_ turn: LastKnownTurn) {
        var metadata: Logger.Metadata = ["name": "\(turn.service)", "names": "\(turn.nameCount)"]
        guard let end = turn.end else {
            metadata["reason"] = "no instance is healthy"
            return logger.warning("names answer their last known instances", metadata: metadata)
        }
        metadata["reason"] = "\(end.rawValue)"
        logger.notice("names no longer answer their last known instances", metadata: metadata)
    }

    private func tellOfOthers() {
        let count = limit.withLock { $0.takeLeft() }
        if count > 0 {
            logger.notice(
                "more services have begun or ended to answer their last known instances",
                metadata: ["count": "\(count)"])
        }
    }
}
