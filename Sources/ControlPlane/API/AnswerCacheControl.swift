import Engine

/// What the API needs of the cache of upstreams' answers; the engine has it, and so do tests.
protocol AnswerCacheControl: Sendable {
    /// Removes answers; see ``Engine/removeFromCache(_:subtree:)``.
    func removeFromCache(_ name: String?, subtree: Bool) throws(EngineError) -> Int
}

extension Engine: AnswerCacheControl {}
