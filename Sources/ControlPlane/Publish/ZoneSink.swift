import Engine

/// Where publications go: the data plane, or a test.
protocol ZoneSink: Sendable {
    /// Puts changes into the zone; see ``Engine/publish(_:)``.
    func publish(_ update: ZoneUpdate) throws(EngineError) -> UInt64
}

extension Engine: ZoneSink {}
