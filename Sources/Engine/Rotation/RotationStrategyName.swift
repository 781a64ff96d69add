/// How the first record of an answer is chosen.
public enum RotationStrategyName: String, CaseIterable, Sendable {
    /// Each record in turn.
    case roundRobin = "round_robin"
    /// Any record, uniformly.
    case random
    /// Each record as often as its weight says (smooth weighted round robin).
    case weighted
}

extension RotationStrategyName {
    /// The type of the strategy with that name.
    var type: any RotationStrategy.Type {
        switch self {
        case .roundRobin: RoundRobin.self
        case .random: RandomRotation.self
        case .weighted: WeightedRotation.self
        }
    }

    /// A new strategy for a worker.
    func makeStrategy() -> any RotationStrategy {
        switch self {
        case .roundRobin: RoundRobin()
        case .random: RandomRotation()
        case .weighted: WeightedRotation()
        }
    }
}
