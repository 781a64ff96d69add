import Engine

@testable import ControlPlane

/// Somebody who changes policies of services, and releases instances that the brake holds, at any node.
final class SimulatedOperator: @unchecked Sendable {
    private let cluster: Cluster
    private var pending: Operation?
    /// Whether it changes nothing from now on.
    var isSettled = false

    init(_ cluster: Cluster) { self.cluster = cluster }

    private var world: World { cluster.world }

    /// Whether it waits for no answer.
    var isContent: Bool { pending == nil }

    func live() {
        act()
        world.after(world.random.within(.milliseconds(200) ... .seconds(3))) { [self] in live() }
    }

    private func act() {
        if let operation = pending {
            // It does not wait for ever. The change that it requested may still happen.
            if operation.start + .seconds(8) < world.now { pending = nil }
            return
        }
        if isSettled { return }
        let node = cluster.nodes[world.random.below(cluster.nodes.count)]
        guard node.isServing, let life = node.life else { return }
        let name = Cluster.services[world.random.below(Cluster.services.count)]
        switch world.random.below(8) {
        case 0..<3: change(name, isSet: true, life)
        case 3..<5: change(name, isSet: false, life)
        case 5: release(name, life)
        default: break
        }
    }

    private func change(_ name: String, isSet: Bool, _ life: NodeLife) {
        let operation = cluster.policies.begin(isSet ? .register : .deregister, name)
        pending = operation
        let command = RegistryCommand.setPolicy(name: name, isSet ? policy(operation.version) : nil)
        world.after(world.random.within(50...2000)) { [self] in
            world.after(0, life.process) { [self] in
                if life.isDead { return receive(operation, .unknown) }
                life.submit(operation, command, cluster.policies) { [self] result in
                    world.after(world.random.within(50...2000)) { [self] in receive(operation, result) }
                }
            }
        }
    }

    /// A policy that tells which version it is. The grace time is not among its fields, nor is SERVFAIL: what names
    /// without a healthy instance are for how long is checked with the server's settings.
    private func policy(_ version: Int) -> ServicePolicy {
        ServicePolicy(
            strategy: [nil, .weighted, .random][world.random.below(3)],
            onEmpty: [nil, .nameError, .noData][world.random.below(3)],
            priorities: [nil, .lowest, .all][world.random.below(3)],
            protectThreshold: [nil, 0, 0.5, 1][world.random.below(4)],
            dnsTTL: UInt32(version))
    }

    private func receive(_ operation: Operation, _ result: Operation.Result) {
        cluster.policies.end(operation.version, result)
        if pending?.version == operation.version { pending = nil }
    }

    /// Releases the instances of a service as the API does, each as a command of its own.
    private func release(_ name: String, _ life: NodeLife) {
        let held = life.store.instances(ofService: name).filter(\.instance.isHeld)
        for id in held.map(\.instance.id) {
            let operation = cluster.history.begin(.deregister, id)
            world.after(0, life.process) { [self] in
                if life.isDead { return cluster.history.end(operation.version, .unknown) }
                life.submit(operation, .release(id: id), cluster.history) { [self] result in
                    // A request of which etcd's answer was lost is made again. If the instance was heard of meanwhile,
                    // nothing is left to be released by then, although the first request has removed it.
                    let isCertain = result != .refused || cluster.backing.hasOneOrder
                    cluster.history.end(operation.version, isCertain ? result : .unknown)
                }
            }
        }
    }
}
