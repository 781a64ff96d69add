@testable import ControlPlane

/// Holds the removals of a node's checker against what they were decided about.
struct ExpulsionCheck {
    /// What a removal was decided about.
    private struct Decision {
        var version: Int
        var known: RegisteredInstance
        var check: String
    }

    private var decisions: [String: Decision] = [:]

    /// The checker has decided that an instance is to be removed.
    mutating func note(_ removal: CheckRemoval, _ known: RegisteredInstance?, _ history: History) {
        guard let known else { return }
        let operation = history.beginExpulsion(of: removal.id)
        decisions[removal.id] = Decision(version: operation.version, known: known, check: removal.check)
    }

    /// Looks at a change of the registry.
    ///
    /// - Parameter hasRemoved: whether an instance was removed by this node. If another has removed it while this node
    ///   was about to, the change is told as this node's own.
    /// - Returns: why an instance must not have been removed.
    mutating func problem(
        _ change: InstanceChange, _ history: History, hasRemoved: (ServiceInstance) -> Bool
    ) -> String? {
        guard case .check(let name) = change.reason, change.new == nil, let old = change.old, hasRemoved(old.instance)
        else { return nil }
        let id = old.instance.id
        // A removal of which etcd has not told whether it was kept is made again. By then another node may have replaced
        // the instance, which is the same registration still.
        guard let decision = decisions[id], decision.check == name else {
            return "\(id) is removed by \(name), which has not decided that"
        }
        history.end(decision.version, .kept)
        let decided = decision.known.instance
        guard old.instance.registeredAt == decided.registeredAt else {
            return "\(id) is removed by \(name) for what it was before it was registered anew"
        }
        guard let check = old.instance.checks.first(where: { $0.name == name }), decided.checks.contains(check),
            old.instance.address == decided.address, old.instance.port == decided.port
        else { return "\(id) is removed by \(name) for another check or place" }
        let (before, now) = (decision.known.result(of: check), old.result(of: check))
        if now.status != .critical || now.since != before.since {
            return "\(id) is removed by \(name), which is \(now.status) since \(now.since), not since \(before.since)"
        }
        return nil
    }
}
