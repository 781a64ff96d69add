/// Keeps instances only in this process: a restart forgets them.
struct MemoryStore: Store {
    let view = InstanceView()

    var type: String { "memory" }

    var state: StoreState { StoreState() }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {}

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        view.apply(changes, now: time.now()).map { .kept($0) }
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        view.removeExpired(sweep, limit: limit)
    }
}
