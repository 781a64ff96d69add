@testable import ControlPlane

/// Somebody who had all instances of a node at its start, and applies each change that it tells.
struct ChangeFollower {
    private var instances: [String: RegisteredInstance] = [:]
    private var lastIndex: UInt64

    init(_ registry: Registry) {
        lastIndex = registry.publication.index
        for id in registry.store.allInstances().map(\.id) { instances[id] = registry.instance(id: id) }
    }

    /// - Returns: why a change can't be applied to what was known.
    mutating func apply(_ change: InstanceChange) -> String? {
        guard let id = (change.new ?? change.old)?.instance.id else { return "a change is of nothing" }
        if change.index <= lastIndex { return "the change \(change.index) of \(id) comes after \(lastIndex)" }
        lastIndex = change.index
        defer { instances[id] = change.new }
        if Self.isSame(instances[id], change.old) { return nil }
        return "a change of \(id) begins with \(change.old.map { "\($0)" } ?? "nothing"), which was not told"
    }

    /// What the node shows, and has not told.
    func problem(_ registry: Registry) -> String? {
        let all = registry.store.allInstances().map(\.id)
        for id in Set(all).union(instances.keys).sorted() where !Self.isSame(instances[id], registry.instance(id: id)) {
            return "has not told what \(id) is"
        }
        return registry.feed.lastIndex == registry.publication.index ? nil : "readers are not told of the last change"
    }

    /// Whether both are the same but for the lease, whose changes are not told.
    private static func isSame(_ one: RegisteredInstance?, _ other: RegisteredInstance?) -> Bool {
        one?.instance == other?.instance && one?.health == other?.health
    }
}
