import Engine

@testable import ControlPlane

extension ServiceInstance {
    /// Why the results of its checks can't have become those of `new`: none may be lost, and none may be replaced by an
    /// older one.
    func problemOfResults(becoming new: ServiceInstance) -> String? {
        guard id == new.id, registeredAt == new.registeredAt, address == new.address, port == new.port else {
            return nil
        }
        for check in checks where new.checks.contains(check) {
            guard let before = results.first(where: { $0.name == check.name }) else { continue }
            guard let after = new.results.first(where: { $0.name == check.name }) else {
                return "the result of \(check.name) is lost, which was \(before.status)"
            }
            if before.isNewer(than: after) {
                return "a result of \(check.name), \(after.status), wins over a newer one, \(before.status)"
            }
        }
        return nil
    }

    /// The same without what nobody has asked for: results of checks, and what the brake says.
    var asAsked: ServiceInstance {
        var asked = self
        asked.results = []
        asked.isHeld = false
        return asked
    }
}

extension Cluster {
    /// Whether the statuses of a node's checks are what the targets are and what clients have reported, once nothing
    /// changes any more.
    func problemOfStatuses(_ node: SimulatedNode) -> String? {
        guard let life = node.life else { return nil }
        for id in history.ids {
            guard let registered = life.store.instance(id: id) else { continue }
            if !registered.health.unstored.isEmpty { return "has results of \(id) that are not stored" }
            for check in registered.instance.checks {
                let status = registered.result(of: check).status
                let wanted: CheckStatus
                if check.ttl == nil {
                    wanted = targets[registered.instance.address] == .up ? .passing : .critical
                } else {
                    guard let reported = reportedStatus(id) else { continue }
                    wanted = reported
                }
                if status != wanted { return "\(check.name) of \(id) is \(status), and should be \(wanted)" }
            }
        }
        return nil
    }

    /// Each instance with checks is checked by one node.
    var problemOfSharing: String? {
        let counts = nodes.compactMap { $0.life?.health.summary }
        let instances = counts.map(\.instances)
        if Set(instances).count > 1 { return "nodes know of \(instances) instances with checks" }
        let here = counts.reduce(0) { $0 + $1.instancesHere }
        return here == instances.first ?? 0 ? nil : "\(here) of \(instances.first ?? 0) instances are checked"
    }
}
