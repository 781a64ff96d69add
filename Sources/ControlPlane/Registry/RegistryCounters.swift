import Synchronization

/// What has happened to the registry since the start, in numbers.
final class RegistryCounters: Sendable {
    /// What happened to an instance.
    enum Event: String, CaseIterable, Sendable {
        case registered, updated, status, deregistered, expired

        /// Its place among all.
        fileprivate var place: Int {
            switch self {
            case .registered: 0
            case .updated: 1
            case .status: 2
            case .deregistered: 3
            case .expired: 4
            }
        }

        fileprivate init(_ change: InstanceChange) {
            switch (change.old, change.new) {
            case (nil, _): self = .registered
            case (_, nil): self = change.reason == .expired ? .expired : .deregistered
            case (let old?, let new?): self = old.status != new.status ? .status : .updated
            }
        }
    }

    /// Counts for each pair of an event and a reason, in places of their own: nothing is hashed or allocated.
    struct ChangeCounts: Sendable, Equatable {
        private static let reasons = ChangeReason.Kind.allCases
        private var counts = [UInt64](repeating: 0, count: Event.allCases.count * reasons.count)

        /// How many changes of this kind there were.
        subscript(event: Event, reason: ChangeReason.Kind) -> UInt64 {
            get { counts[Self.place(event, reason)] }
            set { counts[Self.place(event, reason)] = newValue }
        }

        private static func place(_ event: Event, _ reason: ChangeReason.Kind) -> Int {
            event.place * reasons.count + reason.place
        }
    }

    private let changes = Mutex(ChangeCounts())
    private let renewed = Atomic<UInt64>(0)
    private let unknown = Atomic<UInt64>(0)
    private let failed = Atomic<UInt64>(0)
    /// How long groups of changes took to be stored.
    let storing = TimeHistogram()
    /// How long they took to be in the answers of all DNS workers then.
    let publishing = TimeHistogram()

    /// Counts changes that DNS answers with.
    func note(_ all: ArraySlice<InstanceChange>) {
        changes.withLock { changes in
            for change in all { changes[Event(change), change.reason.kind] &+= 1 }
        }
    }

    /// Counts heartbeats.
    func noteHeartbeats(renewed: Int, unknown: Int) {
        self.renewed.wrappingAdd(UInt64(clamping: renewed), ordering: .relaxed)
        self.unknown.wrappingAdd(UInt64(clamping: unknown), ordering: .relaxed)
    }

    /// Counts a group of changes that could not be stored.
    func noteFailure() { failed.wrappingAdd(1, ordering: .relaxed) }

    /// How many changes of each kind there were.
    var changeCounts: ChangeCounts { changes.withLock { $0 } }

    /// How many heartbeats have renewed a lease, and how many were of unknown instances.
    var heartbeats: (renewed: UInt64, unknown: UInt64) {
        (renewed.load(ordering: .relaxed), unknown.load(ordering: .relaxed))
    }

    /// How many groups of changes could not be stored.
    var failures: UInt64 { failed.load(ordering: .relaxed) }
}

extension ChangeReason.Kind {
    /// Its place among all.
    fileprivate var place: Int {
        switch self {
        case .request: 0
        case .expired: 1
        case .check: 2
        case .brake: 3
        case .loaded: 4
        case .anotherNode: 5
        }
    }
}
