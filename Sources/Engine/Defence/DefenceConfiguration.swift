/// How the engine defends itself and others, which can change while it runs.
public struct DefenceConfiguration: Sendable, Equatable {
    /// The networks of clients that are answered; all others are REFUSED. Empty: everyone.
    public var allow: [IPNetwork]
    /// How many equal responses a client's network gets; `nil`: any number.
    public var rateLimit: ResponseRateLimitSettings?
    /// Whether clients get DNS cookies (RFC 7873).
    public var usesCookies: Bool

    /// Takes a value for each property.
    public init(allow: [IPNetwork] = [], rateLimit: ResponseRateLimitSettings? = nil, usesCookies: Bool = true) {
        self.allow = allow
        self.rateLimit = rateLimit
        self.usesCookies = usesCookies
    }
}

/// What the workers need for that. It never changes, but for what is counted.
final class DefenceSettings: Sendable {
    let configuration: DefenceConfiguration
    let allowed: AllowedClients
    let rateLimit: ResponseRateLimit?
    /// `nil`: clients get none.
    var cookies: ServerCookies? { configuration.usesCookies ? secrets : nil }
    private let secrets: ServerCookies

    /// - Parameter previous: the settings in force until now.
    /// - Throws: ``EngineError/resourceExhausted(_:)`` if memory is short.
    init(_ configuration: DefenceConfiguration, previous: DefenceSettings? = nil) throws(EngineError) {
        self.configuration = configuration
        allowed = AllowedClients(configuration.allow)
        secrets = previous?.secrets ?? ServerCookies()
        if let previous, previous.configuration.rateLimit == configuration.rateLimit {
            rateLimit = previous.rateLimit
        } else if let settings = configuration.rateLimit {
            rateLimit = try ResponseRateLimit(settings)
        } else {
            rateLimit = nil
        }
    }
}
