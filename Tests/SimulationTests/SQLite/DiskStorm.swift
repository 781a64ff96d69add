/// The faults of a node and its disk.
final class DiskStorm: Storm {
    private enum Fault: CaseIterable {
        case pause, clock, kill, powerLoss, end, failures, fullDisk
    }

    private unowned let cluster: Cluster
    private let disk: SimulatedDisk
    private let world: World
    private let faults: FaultSequence<Fault>

    init(_ cluster: Cluster, _ backing: SQLiteBacking) {
        self.cluster = cluster
        disk = backing.disk
        world = cluster.world
        faults = FaultSequence(world)
    }

    func begin() { faults.begin { [self] in happen($0) } }

    func end() {
        faults.end()
        disk.recover()
        for node in cluster.nodes {
            if let process = node.life?.process, process.isPaused { process.resume() }
            node.start()
        }
    }

    private func happen(_ fault: Fault) {
        let node = cluster.nodes[world.random.below(cluster.nodes.count)]
        switch fault {
        case .pause: node.pause(for: world.random.within(.milliseconds(100) ... .seconds(6)))
        case .clock:
            world.note("node \(node.number): its clock jumps")
            node.life?.process.wallOffset = world.random.within(.seconds(-3600) ... .seconds(3600))
        case .kill: kill(node, losesPower: false)
        case .powerLoss: kill(node, losesPower: true)
        case .end: node.stop()
        case .failures:
            disk.failures = [20, 200, 1000][world.random.below(3)]
            world.note("disk: fails \(disk.failures) times in a thousand")
            world.after(world.random.within(.milliseconds(200) ... .seconds(4))) { [self] in
                world.note("disk: works")
                disk.failures = 0
            }
        case .fullDisk:
            world.note("disk: is full")
            disk.fill(leaving: world.random.below(5) * 2500)
            world.after(world.random.within(.milliseconds(200) ... .seconds(4))) { [self] in
                world.note("disk: has room")
                disk.empty()
            }
        }
    }

    /// The process ends, now or in the middle of something that it does to the disk.
    private func kill(_ node: SimulatedNode, losesPower: Bool) {
        if world.random.once(in: 3) { return killNow(node, losesPower: losesPower) }
        disk.prepareCrash(after: world.random.below(world.random.once(in: 3) ? 60 : 8), losesPower: losesPower)
        world.after(.seconds(2)) { [self] in
            if disk.isCrashAhead, !faults.isOver { killNow(node, losesPower: losesPower) }
        }
    }

    private func killNow(_ node: SimulatedNode, losesPower: Bool) {
        node.kill()
        if losesPower { disk.losePower() }
        node.startLater()
    }
}
