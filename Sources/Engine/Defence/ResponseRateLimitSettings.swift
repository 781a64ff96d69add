/// How many equal responses over UDP a client's network gets.
public struct ResponseRateLimitSettings: Sendable, Equatable {
    /// Responses a second: 1–1,000,000.
    public var responsesPerSecond: Int
    /// Above the limit every n-th response is sent with TC instead of dropped; 0: none, 1: all. 0–10.
    public var slip: Int
    /// Whether clients on loopback are limited too.
    public var limitsLoopback: Bool

    /// Takes a value for each property.
    public init(responsesPerSecond: Int, slip: Int = 2, limitsLoopback: Bool = true) {
        self.responsesPerSecond = responsesPerSecond
        self.slip = slip
        self.limitsLoopback = limitsLoopback
    }
}
