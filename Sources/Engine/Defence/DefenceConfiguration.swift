/// How the engine defends itself and others, which can change while it runs.
public struct DefenceConfiguration: Sendable, Equatable {
    /// How many equal responses a client's network gets; `nil`: any number.
    public var rateLimit: ResponseRateLimitSettings?

    /// Takes a value for each property.
    public init(rateLimit: ResponseRateLimitSettings? = nil) {
        self.rateLimit = rateLimit
    }
}

/// What the workers need for that. It never changes, but for what is counted.
final class DefenceSettings: Sendable {
    let configuration: DefenceConfiguration
    let rateLimit: ResponseRateLimit?

    /// - Parameter previous: the settings in force until now.
    /// - Throws: ``EngineError/resourceExhausted(_:)`` if memory is short.
    init(_ configuration: DefenceConfiguration, previous: DefenceSettings? = nil) throws(EngineError) {
        self.configuration = configuration
        if let previous, previous.configuration.rateLimit == configuration.rateLimit {
            rateLimit = previous.rateLimit
        } else if let settings = configuration.rateLimit {
            rateLimit = try ResponseRateLimit(settings)
        } else {
            rateLimit = nil
        }
    }
}
