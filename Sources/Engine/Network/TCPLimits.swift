/// Limits of the TCP service (RFC 7766 §6).
public struct TCPLimits: Sendable {
    /// Open connections over all workers; at the limit the one idle longest gives way, but none that waits for an
    /// answer.
    public var maximumConnections: Int
    /// Open connections of one client address over all workers; at the limit its own one idle longest gives way.
    public var maximumPerClient: Int
    /// How long a connection may stay open without a complete query.
    public var idleTimeout: Duration
    /// Queries answered on one connection before it is closed; 0 = no limit.
    public var maximumQueries: Int

    /// Takes a value for each property.
    public init(
        maximumConnections: Int = 4096,
        maximumPerClient: Int = 256,
        idleTimeout: Duration = .seconds(10),
        maximumQueries: Int = 0
    ) {
        self.maximumConnections = maximumConnections
        self.maximumPerClient = maximumPerClient
        self.idleTimeout = idleTimeout
        self.maximumQueries = maximumQueries
    }
}
