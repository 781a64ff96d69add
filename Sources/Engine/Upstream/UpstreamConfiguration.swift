/// The part of the configuration of forwarding that can change while the engine runs, see ``Engine/reconfigure(_:)``.
public struct UpstreamConfiguration: Sendable, Equatable {
    /// The servers that are asked. Without any, names outside are REFUSED.
    public var servers: [SocketAddress]
    /// How the upstream that is asked first is chosen.
    public var policy: UpstreamPolicyName
    /// How long a client waits, for all attempts together.
    public var timeout: Duration
    /// The networks of clients whose queries are forwarded, or answered from the cache.
    public var allow: [IPNetwork]
    /// Which upstreams are asked with letters in random case.
    public var caseRandomization: CaseRandomization

    /// Takes a value for each property.
    public init(
        servers: [SocketAddress] = [], policy: UpstreamPolicyName = .fastest, timeout: Duration = .milliseconds(1500),
        allow: [IPNetwork] = [], caseRandomization: CaseRandomization = .automatic
    ) {
        self.servers = servers
        self.policy = policy
        self.timeout = timeout
        self.allow = allow
        self.caseRandomization = caseRandomization
    }
}

/// Which upstream is asked first.
public enum UpstreamPolicyName: String, CaseIterable, Sendable {
    /// The one that answered fastest.
    case fastest
    /// Each in turn.
    case roundRobin = "round_robin"
    /// Any, uniformly.
    case random
    /// The first that is healthy.
    case sequential
}
