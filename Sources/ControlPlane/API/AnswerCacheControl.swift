import Engine

/// The cache of upstreams' answers as the API sees it: the data plane's, or a test's.
protocol AnswerCacheControl: Sendable {
    /// Removes answers; see ``Engine/removeFromCache(_:subtree:)``.
    func removeFromCache(_ name: String?, subtree: Bool) throws(EngineError) -> Int
}

extension Engine: AnswerCacheControl {}
