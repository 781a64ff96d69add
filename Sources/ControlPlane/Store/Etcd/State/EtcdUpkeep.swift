/// What a node still has to do about leases. Pure.
struct EtcdUpkeep: Sendable {
    /// How many leases may wait to be given back; others end by themselves.
    private static let maximumSpareLeases = 65_536

    /// The ids of instances whose leases are to be renewed.
    private var heartbeats: Set<String> = []
    /// Leases that are no longer needed, or may not be.
    private var spareLeases: [SpareLease] = []

    /// How many leases are to be renewed.
    var heartbeatCount: Int { heartbeats.count }

    /// Notes a heartbeat of an instance.
    mutating func hear(_ id: String) { heartbeats.insert(id) }

    /// Notes heartbeats of instances, or that they could not be passed on.
    mutating func hear(_ ids: some Sequence<String>) { heartbeats.formUnion(ids) }

    /// Removes and returns the ids of all instances heard from since the last time.
    mutating func takeHeartbeats() -> Set<String> {
        defer { heartbeats = [] }
        return heartbeats
    }

    /// Queues leases to be given back.
    ///
    /// - Parameters:
    ///   - mayBeUsed: whether to check first that no keys are attached.
    ///   - dueAt: the earliest time to give them back.
    mutating func spare(_ leases: some Sequence<Int64>, mayBeUsed: Bool, dueAt: ContinuousClock.Instant) {
        for lease in leases where lease != 0 && spareLeases.count < Self.maximumSpareLeases {
            spareLeases.append(SpareLease(lease: lease, mayBeUsed: mayBeUsed, dueAt: dueAt))
        }
    }

    /// Removes and returns leases that are due to be given back.
    mutating func takeSpareLeases(now: ContinuousClock.Instant, limit: Int) -> [SpareLease] {
        let leases = Array(spareLeases.lazy.filter { $0.dueAt <= now }.prefix(limit))
        if leases.isEmpty { return [] }
        let taken = Set(leases.map(\.lease))
        spareLeases.removeAll { taken.contains($0.lease) }
        return leases
    }
}

/// A lease to be given back.
struct SpareLease: Sendable, Equatable {
    var lease: Int64
    /// Whether to check first: the write that it was granted for may have been kept after all.
    var mayBeUsed: Bool
    /// The earliest time: a request that timed out may still be under way.
    var dueAt: ContinuousClock.Instant
}
