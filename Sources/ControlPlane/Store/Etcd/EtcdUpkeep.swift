/// What a node still has to do about leases: pure.
struct EtcdUpkeep: Sendable {
    /// Leases that wait to be given back; beyond, they end by themselves.
    private static let maximumSpareLeases = 65_536

    /// Instances whose leases are to be renewed.
    private var heartbeats: Set<String> = []
    /// Leases that nothing is on any more, or perhaps nothing.
    private var spareLeases: [SpareLease] = []

    /// How many leases are to be renewed.
    var heartbeatCount: Int { heartbeats.count }

    /// An instance was heard of.
    mutating func hear(_ id: String) { heartbeats.insert(id) }

    /// Instances were heard of, or their heartbeats could not be passed on.
    mutating func hear(_ ids: some Sequence<String>) { heartbeats.formUnion(ids) }

    /// Takes out everybody who was heard of since the last time.
    mutating func takeHeartbeats() -> Set<String> {
        defer { heartbeats = [] }
        return heartbeats
    }

    /// Leases are to be given back.
    ///
    /// - Parameters:
    ///   - mayBeUsed: whether to look first.
    ///   - dueAt: not before.
    mutating func spare(_ leases: some Sequence<Int64>, mayBeUsed: Bool, dueAt: ContinuousClock.Instant) {
        for lease in leases where lease != 0 && spareLeases.count < Self.maximumSpareLeases {
            spareLeases.append(SpareLease(lease: lease, mayBeUsed: mayBeUsed, dueAt: dueAt))
        }
    }

    /// Takes out leases that are to be given back now.
    mutating func takeSpareLeases(now: ContinuousClock.Instant, limit: Int) -> [SpareLease] {
        let leases = Array(spareLeases.lazy.filter { $0.dueAt <= now }.prefix(limit))
        if leases.isEmpty { return [] }
        let taken = Set(leases.map(\.lease))
        spareLeases.removeAll { taken.contains($0.lease) }
        return leases
    }
}

/// A lease that nothing is on any more, to be given back.
struct SpareLease: Sendable, Equatable {
    var lease: Int64
    /// Whether to look first: what it was granted for may have been written all the same.
    var mayBeUsed: Bool
    /// Not before: a request whose answer was not waited for may be under way still.
    var dueAt: ContinuousClock.Instant
}
