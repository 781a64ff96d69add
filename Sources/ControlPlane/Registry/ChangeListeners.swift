import Synchronization

/// Those who are told of every change of an instance or a policy, after DNS answers with it.
final class ChangeListeners: Sendable {
    typealias Listener = @Sendable (ArraySlice<InstanceChange>, ArraySlice<PolicyChange>) -> Void

    private let all = Mutex<[Listener]>([])

    /// Adds one. It is called on the committer's thread and must not wait.
    func add(_ listener: @escaping Listener) {
        all.withLock { $0.append(listener) }
    }

    /// Tells all of them.
    func tell(_ changes: ArraySlice<InstanceChange>, _ policies: ArraySlice<PolicyChange>) {
        if changes.isEmpty, policies.isEmpty { return }
        for listener in all.withLock({ $0 }) { listener(changes, policies) }
    }
}
