/// One upstream that may be asked now.
struct UpstreamCandidate: Equatable {
    /// Its index in the configured order.
    var index: Int
    /// Its smoothed round-trip time; `nil`: it has not been asked yet.
    var roundTripTime: Nanoseconds?
}

/// Chooses the upstream that is asked. Pure: it is given the upstreams that may be asked, and random numbers.
///
/// A new policy is a type that conforms to this, and a case in ``UpstreamPolicyName``.
protocol UpstreamPolicy: Sendable {
    /// Chooses one of the candidates.
    ///
    /// - Parameters:
    ///   - candidates: one or more, in the configured order.
    ///   - random: a random number.
    /// - Returns: the index of one of them.
    mutating func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int

    /// Chooses an upstream to be asked besides `chosen`, to learn how it is doing. The first answer counts.
    ///
    /// - Returns: its index; `nil`: none this time.
    func explore(besides chosen: Int, among candidates: [UpstreamCandidate], random: UInt64) -> Int?
}

extension UpstreamPolicy {
    func explore(besides chosen: Int, among candidates: [UpstreamCandidate], random: UInt64) -> Int? { nil }
}

/// Chooses the upstream with the lowest smoothed round-trip time. One query in 64 also goes to another upstream, to
/// find out when that has become faster; the client does not wait for it.
struct FastestPolicy: UpstreamPolicy {
    static let explorationPeriod: UInt64 = 64

    func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int {
        // An upstream that was never asked comes first, because nothing is known about it.
        candidates.min { ($0.roundTripTime ?? .zero) < ($1.roundTripTime ?? .zero) }?.index ?? 0
    }

    func explore(besides chosen: Int, among candidates: [UpstreamCandidate], random: UInt64) -> Int? {
        guard random % Self.explorationPeriod == 0 else { return nil }
        let others = candidates.filter { $0.index != chosen }
        guard !others.isEmpty else { return nil }
        return others[Int(random / Self.explorationPeriod % UInt64(others.count))].index
    }
}

/// Chooses each in turn.
struct RoundRobinPolicy: UpstreamPolicy {
    private var next = 0

    mutating func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int {
        let chosen = (candidates.first { $0.index >= next } ?? candidates.first)?.index ?? 0
        next = chosen + 1
        return chosen
    }
}

/// Chooses any, uniformly.
struct RandomPolicy: UpstreamPolicy {
    func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int {
        guard !candidates.isEmpty else { return 0 }
        return candidates[Int(random % UInt64(candidates.count))].index
    }
}

/// Chooses the first in the configured order.
struct SequentialPolicy: UpstreamPolicy {
    func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int {
        candidates.first?.index ?? 0
    }
}

extension UpstreamPolicyName {
    /// Makes a new policy.
    func makePolicy() -> any UpstreamPolicy {
        switch self {
        case .fastest: FastestPolicy()
        case .roundRobin: RoundRobinPolicy()
        case .random: RandomPolicy()
        case .sequential: SequentialPolicy()
        }
    }
}
