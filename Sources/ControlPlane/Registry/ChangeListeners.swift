import Synchronization

/// Those who are told of every change of an instance, after DNS answers with it.
final class ChangeListeners: Sendable {
    private let all = Mutex<[@Sendable (ArraySlice<InstanceChange>) -> Void]>([])

    /// Adds one. It is called on the committer's thread and must not wait.
    func add(_ listener: @escaping @Sendable (ArraySlice<InstanceChange>) -> Void) {
        all.withLock { $0.append(listener) }
    }

    /// Tells all of them.
    func tell(_ changes: ArraySlice<InstanceChange>) {
        if changes.isEmpty { return }
        for listener in all.withLock({ $0 }) { listener(changes) }
    }
}
