import Logging

/// Logs when names begin and end to answer their last known instances: one line for each service.
final class LastKnownLog: Sendable {
    private let logger: Logger
    private let lines: LimitedLines

    init(logger: Logger, time: TimeSource, timers: any Timers) {
        self.logger = logger
        lines = LimitedLines(time: time, timers: timers)
    }

    /// Logs a hundred lines a second at most; others are counted.
    func note(_ turns: [LastKnownTurn]) {
        for turn in turns {
            let isWritten = lines.take { [logger] count in
                logger.notice(
                    "more services have begun or ended to answer their last known instances",
                    metadata: ["count": "\(count)"])
            }
            if isWritten { log(turn) }
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
}
