import Engine

/// The destination of publications: the engine, or a test.
protocol ZoneSink: Sendable {
    /// Publishes changes of the zone; see ``Engine/publish(_:)``.
    func publish(_ update: ZoneUpdate) throws(EngineError) -> UInt64
}

extension Engine: ZoneSink {}
