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

/// Client networks that were limited lately, for people.
public struct LimitedNetworks: Sendable, Equatable {
    /// The most networks that are told apart.
    public static let maximumCount = 64

    /// How many responses to each were limited. Some may have been left out.
    public private(set) var counts: [IPNetwork: UInt64] = [:]
    /// Responses to further networks.
    public private(set) var others: UInt64 = 0

    /// None.
    public init() {}

    /// Counts one more response.
    public mutating func note(_ network: IPNetwork) {
        if counts[network] != nil || counts.count < Self.maximumCount {
            counts[network, default: 0] += 1
        } else {
            others += 1
        }
    }
}
