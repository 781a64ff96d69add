/// Turns updates into snapshots of all zones. Used by one thread at a time, never by a worker.
struct SnapshotBuilder {
    /// The most zones there can be.
    static let maximumZones = 512

    /// The last snapshot built.
    private(set) var snapshot: ZoneSnapshot
    private var zones: [ZoneBuilder] = []
    private var cells = CellAllocator()

    /// Zones with only their own records.
    ///
    /// - Throws: ``EngineError/invalidConfiguration(_:)`` if a zone is invalid, there is none, or two have the same
    ///   name.
    init(_ configurations: [ZoneConfiguration], strategy: RotationStrategyName) throws(EngineError) {
        guard (1...Self.maximumZones).contains(configurations.count) else {
            throw .invalidConfiguration("there must be 1–\(Self.maximumZones) zones")
        }
        guard Set(configurations.map { $0.origin.lowercased() }).count == configurations.count else {
            throw .invalidConfiguration("two zones have the same name")
        }
        for configuration in configurations {
            zones.append(try ZoneBuilder(configuration, strategy: strategy, cells: &cells))
        }
        snapshot = ZoneSnapshot(generation: 1, zones: zones.map(\.zone), cellCount: cells.count)
    }

    /// Builds the next snapshot. If this throws, nothing has changed.
    mutating func apply(_ update: ZoneUpdate) throws(EngineError) {
        var changes: [Int: [NameChange]] = [0: []]
        for change in update.changes {
            guard zones.indices.contains(change.zone), !zones[change.zone].isReserved(change.name) else {
                throw .invalidName(change.name)
            }
            changes[change.zone, default: []].append(change)
        }
        // Do first everything that can fail, then everything that changes state.
        var prepared: [(zone: Int, changes: ZoneBuilder.Prepared)] = []
        for (zone, changes) in changes {
            prepared.append((zone, try zones[zone].prepare(changes, serial: update.serial)))
        }
        guard cells.hasRoom(for: prepared.reduce(0) { $0 + $1.changes.cellCount }) else {
            throw .resourceExhausted("the zones have more than \(RotationCells.maximumCount) rotating records")
        }
        for (zone, changes) in prepared { zones[zone].commit(changes, &cells) }
        snapshot = ZoneSnapshot(
            generation: snapshot.generation + 1, zones: zones.map(\.zone), cellCount: cells.count)
    }
}
