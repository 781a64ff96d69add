/// Keeps instances in this process alone: a restart forgets them.
struct MemoryStore: Store {
    let view = InstanceView()

    var type: String { "memory" }

    var state: StoreState { StoreState() }

    nonisolated(nonsending) func load(now: Moment) async throws {}

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async throws
        -> [RegisteredInstance?]
    {
        view.apply(changes, now: time.now())
    }

    nonisolated(nonsending) func removeExpired(now: Moment, limit: Int) async throws -> ExpiredInstances {
        view.withTable { $0.removeExpired(at: now.monotonic, limit: limit) }
    }
}
