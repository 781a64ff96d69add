/// How the first record of an answer is chosen.
public enum RotationStrategyName: String, CaseIterable, Sendable, BitwiseCopyable {
    /// Each record in turn.
    case roundRobin = "round_robin"
    /// Any record, uniformly.
    case random
    /// Each record as often as its weight says (smooth weighted round robin).
    case weighted
}

extension RotationStrategyName {
    /// The type of the strategy with that name.
    private var type: any RotationStrategy.Type {
        switch self {
        case .roundRobin: RoundRobin.self
        case .random: RandomRotation.self
        case .weighted: WeightedRotation.self
        }
    }

    /// Whether it goes by the records' weights: see ``RotationStrategy/usesWeights``.
    var usesWeights: Bool { type.usesWeights }

    /// How many cells an RRset of `count` records needs.
    func cellCount(records count: Int) -> Int { type.cellCount(records: count) }
}
