public import Logging

/// A handler of swift-log that writes each event as one line to a ``LogOutput``.
public struct LineLogHandler: LogHandler {
    private let output: LogOutput
    /// The level of this logger only, or `nil` for the output's.
    private var ownLevel: Logger.Level?

    /// Metadata that every event of this logger carries.
    public var metadata: Logger.Metadata = [:]
    /// Adds metadata to each event, for example from the task.
    public var metadataProvider: Logger.MetadataProvider?

    /// Writes to an output, at its level.
    public init(output: LogOutput) { self.output = output }

    /// The lowest level that is logged: the output's, unless this logger has its own.
    public var logLevel: Logger.Level {
        get { ownLevel ?? output.level }
        set { ownLevel = newValue }
    }

    /// One value of ``metadata``.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes an event.
    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = .string(FileReason.words(for: error)) }
        output.log(event.level, event.message.description, metadata: all)
    }
}
