import Synchronization

/// What has happened to the registry since the start, in numbers.
final class RegistryCounters: Sendable {
    /// What happened to an instance.
    enum Event: String, CaseIterable, Sendable {
        case registered, updated, status, deregistered, expired

        fileprivate init(_ change: InstanceChange) {
            switch (change.old, change.new) {
            case (nil, _): self = .registered
            case (_, nil): self = change.reason == .expired ? .expired : .deregistered
            case (let old?, let new?): self = old.status != new.status ? .status : .updated
            }
        }
    }

    /// An event with its reason, see ``ChangeReason/name``.
    struct Kind: Hashable, Sendable {
        var event: Event
        var reason: String
    }

    private let changes = Mutex<[Kind: UInt64]>([:])
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
            for change in all { changes[Kind(event: Event(change), reason: change.reason.name), default: 0] &+= 1 }
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
    var changeCounts: [Kind: UInt64] { changes.withLock { $0 } }

    /// How many heartbeats have renewed a lease, and how many were of unknown instances.
    var heartbeats: (renewed: UInt64, unknown: UInt64) {
        (renewed.load(ordering: .relaxed), unknown.load(ordering: .relaxed))
    }

    /// How many groups of changes could not be stored.
    var failures: UInt64 { failed.load(ordering: .relaxed) }
}
