/// One upstream that may be asked now.
struct UpstreamCandidate: Equatable {
    /// Its place in the configured order.
    var index: Int
    /// Its smoothed round-trip time; `nil`: it has not been asked yet.
    var roundTripTime: Nanoseconds?
}

/// Chooses the upstream that is asked. Pure: sees who may be asked, and gets its random numbers.
///
/// A new policy is a type that conforms, and its case in ``UpstreamPolicyName``.
protocol UpstreamPolicy: Sendable {
    /// Chooses one.
    ///
    /// - Parameters:
    ///   - candidates: one or more, in the configured order.
    ///   - random: a random number.
    /// - Returns: the index of one of them.
    mutating func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int

    /// Chooses one to be asked besides `chosen`, to learn how it does; whose answer comes first is taken.
    ///
    /// - Returns: `nil`: this time none.
    func explore(besides chosen: Int, among candidates: [UpstreamCandidate], random: UInt64) -> Int?
}

extension UpstreamPolicy {
    func explore(besides chosen: Int, among candidates: [UpstreamCandidate], random: UInt64) -> Int? { nil }
}

/// The one with the least smoothed round-trip time. One query in 64 goes to another one too, so that it is known when
/// that has become faster; the client does not wait for it.
struct FastestPolicy: UpstreamPolicy {
    static let explorationPeriod: UInt64 = 64

    func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int {
        // One that was never asked comes first: nothing is known of it.
        candidates.min { ($0.roundTripTime ?? .zero) < ($1.roundTripTime ?? .zero) }?.index ?? 0
    }

    func explore(besides chosen: Int, among candidates: [UpstreamCandidate], random: UInt64) -> Int? {
        guard random % Self.explorationPeriod == 0 else { return nil }
        let others = candidates.filter { $0.index != chosen }
        guard !others.isEmpty else { return nil }
        return others[Int(random / Self.explorationPeriod % UInt64(others.count))].index
    }
}

/// Each in turn.
struct RoundRobinPolicy: UpstreamPolicy {
    private var next = 0

    mutating func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int {
        let chosen = (candidates.first { $0.index >= next } ?? candidates.first)?.index ?? 0
        next = chosen + 1
        return chosen
    }
}

/// Any, uniformly.
struct RandomPolicy: UpstreamPolicy {
    func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int {
        guard !candidates.isEmpty else { return 0 }
        return candidates[Int(random % UInt64(candidates.count))].index
    }
}

/// The first in the configured order.
struct SequentialPolicy: UpstreamPolicy {
    func choose(among candidates: [UpstreamCandidate], random: UInt64) -> Int {
        candidates.first?.index ?? 0
    }
}

extension UpstreamPolicyName {
    /// A new one.
    func makePolicy() -> any UpstreamPolicy {
        switch self {
        case .fastest: FastestPolicy()
        case .roundRobin: RoundRobinPolicy()
        case .random: RandomPolicy()
        case .sequential: SequentialPolicy()
        }
    }
}
