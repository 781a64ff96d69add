/// Who may have names outside the zone, and in which order the addresses of an upstream's answer are given.
struct OutsideNames: ~Copyable {
    private var access: AccessList
    private var accessView: AccessList.View
    /// Whether there is an upstream: else names outside are refused.
    private(set) var isOn: Bool
    /// A rotation of its own: for upstreams' answers have no weights.
    private var strategy: any RotationStrategy
    private var cells = RotationCells()

    init(_ settings: RecursionSettings, strategy: RotationStrategyName) {
        access = settings.access
        accessView = settings.access.view
        isOn = settings.isOn
        self.strategy = strategy == .random ? RandomRotation() : RoundRobin()
    }

    /// Goes by other settings from now on.
    mutating func adopt(_ settings: RecursionSettings) {
        access = settings.access
        accessView = settings.access.view
        isOn = settings.isOn
    }

    /// Whether a client may have names outside the zone.
    @inline(__always)
    func allows(_ client: IPAddress?) -> Bool {
        guard isOn, let client else { return false }
        return accessView.contains(client)
    }

    /// Which of an answer's addresses comes first.
    @inline(__always)
    mutating func first(of answer: CachedAnswer) -> Int {
        cells.grow(to: Int(answer.slot) &+ 1)
        let rrset = PackedRRset(count: UInt32(answer.rotation.count), firstCell: answer.slot)
        return strategy.first(of: rrset, weights: Span(), cells: &cells)
    }
}

extension PackedRRset {
    /// What a ``RotationStrategy`` without weights needs to know of an RRset.
    @inline(__always)
    init(count: UInt32, firstCell: UInt32) {
        self.init(
            type: .a, stride: 0, count: count, answerOffset: 0, answerByteCount: 0, additionalOffset: 0,
            additionalByteCount: 0, firstService: 0, firstWeight: 0, firstCell: firstCell, stamp: 0, list: 0)
    }
}
