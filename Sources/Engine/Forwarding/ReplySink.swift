/// Sends the replies of clients that had to wait.
protocol ReplySink: AnyObject {
    /// Puts an upstream's answer into the cache, and then sends it. In this order, a client that has it and asks
    /// another worker finds it there.
    ///
    /// - Parameters:
    ///   - isKept: whether the cache may keep it.
    ///   - ttl: the TTL in the replies, in seconds.
    /// - Returns: `false` if it is too long for a message; nothing is sent then.
    func reply(
        _ content: AnswerContent, key: CacheKey, times: AnswerTimes, isKept: Bool, ttl: UInt32,
        to clients: [WaitingClient]
    ) -> Bool

    /// Sends SERVFAIL.
    func replyFailure(_ reason: ExtendedError, to client: WaitingClient)

    /// Sends the cached answer, if there is one that may be used.
    ///
    /// - Parameter mayBeStale: whether an expired one may be used (RFC 8767).
    /// - Returns: whether there was one.
    func replyFromCache(_ key: CacheKey, to client: WaitingClient, now: MonotonicTime, mayBeStale: Bool) -> Bool
}
