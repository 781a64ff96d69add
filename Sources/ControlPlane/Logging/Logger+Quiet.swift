import Logging

extension Logger {
    /// The same without what libraries tell of their starts and stops at info, which is said better here.
    var quiet: Logger {
        var logger = self
        logger.logLevel = max(logLevel, .warning)
        return logger
    }
}
