import Engine

/// How often clients ask: each address may ask so many times a second, and as often at once after a quiet second.
///
/// Of each address it knows when its credit is whole again (GCRA, ITU-T I.371): that is all of a token bucket.
struct RequestRate {
    /// Addresses that are remembered. One with a whole credit is forgotten, so these are those of the last second;
    /// if there are more, the others are not limited.
    static let maximumClients = 65_536
    /// Looking through all of them takes a millisecond.
    private static let forgettingInterval = Duration.milliseconds(100)

    /// When the credit of an address is whole again: a second from now at most.
    private var wholeAt: [IPAddress: ContinuousClock.Instant] = [:]
    private var forgetsNextAt: ContinuousClock.Instant?

    /// Counts a request.
    ///
    /// - Parameter perSecond: how many are allowed; 1 or more.
    /// - Returns: how long the client has to wait until it may ask again; `nil`: the request is allowed.
    mutating func take(_ client: IPAddress, perSecond: Int, now: ContinuousClock.Instant) -> Duration? {
        let known = wholeAt[client]
        let end = max(known ?? now, now) + .seconds(1) / perSecond
        let excess = now.duration(to: end) - .seconds(1)
        if excess > .zero { return excess }
        if known == nil, wholeAt.count >= Self.maximumClients, !forgetSome(now) { return nil }
        wholeAt[client] = end
        return nil
    }

    /// - Returns: whether there is room for another address.
    private mutating func forgetSome(_ now: ContinuousClock.Instant) -> Bool {
        if let forgetsNextAt, now < forgetsNextAt { return false }
        forgetsNextAt = now + Self.forgettingInterval
        wholeAt = wholeAt.filter { $0.value > now }
        return wholeAt.count < Self.maximumClients
    }
}
