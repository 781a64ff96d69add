/// Where the replies of clients go that had to wait.
protocol ReplySink: AnyObject {
    /// Sends an upstream's answer, and puts it into the cache first, so that who has it and asks another worker finds
    /// it.
    ///
    /// - Parameters:
    ///   - isKept: whether it may be in the cache.
    ///   - ttl: of the replies, in seconds.
    /// - Returns: `false` when it is too long to be a message; nothing is sent then.
    func reply(
        _ content: AnswerContent, _ key: CacheKey, _ times: AnswerTimes, isKept: Bool, ttl: UInt32,
        to clients: [WaitingClient]
    ) -> Bool

    /// Sends SERVFAIL.
    func replyFailure(_ reason: ExtendedError, to client: WaitingClient)

    /// Sends what the cache has, if it has an answer that may be used.
    ///
    /// - Parameter mayBeStale: whether one that has expired may be (RFC 8767).
    /// - Returns: whether there was one.
    func replyFromCache(_ key: CacheKey, to client: WaitingClient, now: MonotonicTime, mayBeStale: Bool) -> Bool
}
