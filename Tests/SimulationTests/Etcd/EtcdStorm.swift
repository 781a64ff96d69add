/// The faults of nodes, the network and etcd.
final class EtcdStorm: Storm {
    private enum Fault: CaseIterable {
        case climate, cut, brokenWatches, stalledMember, noLeader, compaction, pause, kill, clock, otherKeys, disk
    }

    private unowned let cluster: Cluster
    private unowned let backing: EtcdBacking
    private let world: World
    private let faults: FaultSequence<Fault>

    init(_ cluster: Cluster, _ backing: EtcdBacking) {
        self.cluster = cluster
        self.backing = backing
        world = cluster.world
        faults = FaultSequence(world)
    }

    func begin() { faults.begin { [self] in happen($0) } }

    /// The faults end, and everything works again.
    func end() {
        faults.end()
        backing.weather.clear()
        for member in 0..<SimulatedEtcd.memberCount { backing.etcd.stall(member, false) }
        backing.etcd.findLeader()
        for node in cluster.nodes {
            backing.files[node.number]?.isFull = false
            if let process = node.life?.process, process.isPaused { process.resume() }
            node.start()
        }
    }

    private func happen(_ fault: Fault) {
        let node = cluster.nodes[world.random.below(cluster.nodes.count)]
        switch fault {
        case .climate:
            backing.weather.climate = Weather.Climate(
                slow: world.random.below(4) * 60, lost: world.random.below(3) * 40, doubled: world.random.below(3) * 60)
            world.note("weather: \(backing.weather.climate)")
        case .cut: cut(node)
        case .brokenWatches:
            world.note("node \(node.number): its watches break")
            gateway(of: node)?.breakWatches()
        case .stalledMember:
            let member = world.random.below(SimulatedEtcd.memberCount)
            backing.etcd.stall(member, true)
            world.after(world.random.within(.milliseconds(200) ... .seconds(6))) { [backing] in
                backing.etcd.stall(member, false)
            }
        case .noLeader:
            backing.etcd.loseLeader()
            world.after(world.random.within(.milliseconds(300) ... .seconds(4))) { [backing] in
                backing.etcd.findLeader()
            }
        case .compaction: backing.etcd.compact()
        case .pause: node.pause(for: world.random.within(.milliseconds(100) ... .seconds(6)))
        case .kill:
            node.kill()
            // It may have to begin with its snapshot, if that is whole.
            if world.random.once(in: 3) { cut(node) }
            if faults.contains(.disk), world.random.once(in: 3) { backing.files[node.number]?.damage() }
            world.after(world.random.within(.milliseconds(50) ... .seconds(4))) { node.start() }
        case .clock:
            world.note("node \(node.number): its clock jumps")
            node.life?.process.wallOffset = world.random.within(.seconds(-3600) ... .seconds(3600))
        case .disk:
            backing.files[node.number]?.isFull = world.random.once(in: 2)
        case .otherKeys:
            backing.etcd.change([("/other", [1], 0)])
        }
    }

    private func gateway(of node: SimulatedNode) -> SimulatedGateway? {
        (node.life?.storage as? EtcdNodeStorage)?.gateway
    }

    /// Nothing passes between a node and etcd for a while, in which etcd may forget what happened.
    private func cut(_ node: SimulatedNode) {
        let time = world.random.within(.milliseconds(200) ... .seconds(8))
        world.note("node \(node.number): is cut off for \(time / 1000) ms")
        backing.weather.cut(node.number, for: time)
        if world.random.once(in: 2) { gateway(of: node)?.breakWatches() }
        if faults.contains(.compaction), world.random.once(in: 2) {
            world.after(time - 1) { [backing] in backing.etcd.compact() }
        }
    }
}
