/// Who may have names outside the zone, and in which order the addresses of an upstream's answer are given.
struct OutsideNames: ~Copyable {
    private var access: AccessList
    private var accessView: AccessList.View
    /// Whether there is an upstream: else names outside are refused.
    private(set) var isOn: Bool
    /// A rotation of its own: for upstreams' answers have no weights.
    private var strategy: any RotationStrategy
    private var cells = RotationCells()

    /// - Parameters:
    ///   - access: who may have them.
    ///   - isOn: whether there is an upstream.
    ///   - strategy: the zone's.
    init(access: AccessList, isOn: Bool, strategy: RotationStrategyName) {
        self.access = access
        accessView = access.view
        self.isOn = isOn
        self.strategy = strategy == .random ? RandomRotation() : RoundRobin()
    }

    /// Goes by other settings from now on.
    mutating func adopt(access: AccessList, isOn: Bool) {
        self.access = access
        accessView = access.view
        self.isOn = isOn
    }

    /// Whether a client may have names outside the zone: it is one of those, and there is an upstream.
    @inline(__always)
    func allows(_ client: IPAddress?) -> Bool { isOn && trusts(client) }

    /// Whether a client is one of those that may have names outside the zone, whether or not there is an upstream.
    @inline(__always)
    func trusts(_ client: IPAddress?) -> Bool {
        guard let client else { return false }
        return accessView.contains(client)
    }

    /// Which of an answer's addresses comes first.
    @inline(__always)
    mutating func first(of answer: CachedAnswer) -> Int {
        cells.grow(to: Int(answer.slot) &+ 1)
        let rrset = RotatedRRset(count: UInt32(answer.rotation.count), firstCell: answer.slot, stamp: 0)
        return strategy.first(of: rrset, weights: Span(), cells: &cells)
    }
}
