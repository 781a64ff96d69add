import Logging

extension Logger {
    /// The same logger without the starts and stops that libraries report at info level; ours are better.
    var quiet: Logger {
        var logger = self
        logger.logLevel = max(logLevel, .warning)
        return logger
    }
}
