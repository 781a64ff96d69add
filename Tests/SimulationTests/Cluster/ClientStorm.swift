/// What befalls clients and their instances, whatever the storage.
final class ClientStorm: Storm {
    private enum Fault: CaseIterable {
        case target, silence, deaths, cutOff
    }

    private unowned let cluster: Cluster
    private let world: World
    private let faults: FaultSequence<Fault>

    init(_ cluster: Cluster) {
        self.cluster = cluster
        world = cluster.world
        faults = FaultSequence(world)
    }

    func begin() { faults.begin { [self] in happen($0) } }

    func end() { faults.end() }

    private func happen(_ fault: Fault) {
        let clients = cluster.clients
        switch fault {
        case .target: cluster.targets.change(clients[world.random.below(clients.count)].address)
        case .cutOff:
            let node = world.random.below(cluster.nodes.count)
            cluster.targets.cutOff(node, for: world.random.within(.seconds(1) ... .seconds(9)))
        case .silence:
            let time = world.random.within(.seconds(1) ... .seconds(9))
            world.note("most clients are silent for \(time / 1000) ms")
            for client in clients where !world.random.once(in: 5) { client.isSilent(for: time) }
        case .deaths:
            world.note("some clients die")
            for client in clients where world.random.once(in: 2) { client.die() }
        }
    }
}
