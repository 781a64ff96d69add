import Engine

/// What the API needs to tell what DNS does; the engine has it, and so do tests.
protocol DNSInsight: Sendable {
    /// What clients have asked; see ``Engine/queryStatistics()``.
    func queryStatistics() -> QueryStatistics
}

extension Engine: DNSInsight {}
