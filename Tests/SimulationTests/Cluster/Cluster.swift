import Engine

@testable import ControlPlane

/// Nodes, their storage and their clients, as the seed determines them.
final class Cluster {
    /// The time during which faults happen.
    private static let stormTime = Microseconds.seconds(20)
    /// The longest time from the end of the faults until all is as it should be.
    private static let patience = Microseconds.seconds(90)

    /// The storage in which the nodes keep instances.
    enum Kind: CaseIterable, Sendable {
        case etcd
        /// There is one node.
        case sqlite
    }

    let world: World
    let history: History
    let backing: any Backing
    let sabotage: Sabotage?
    /// The rule for what names without a healthy instance answer.
    let policy: RecordPolicy
    private(set) var nodes: [SimulatedNode] = []
    private var clients: [SimulatedClient] = []
    private var storm: (any Storm)?

    init(_ kind: Kind, seed: UInt64, _ sabotage: Sabotage? = nil) {
        world = World(seed: seed)
        history = History(world)
        self.sabotage = sabotage
        backing =
            switch kind {
            case .etcd: EtcdBacking(world, history, sabotage)
            case .sqlite: SQLiteBacking(world, history, sabotage)
            }
        history.lateness = backing.lateness
        policy = RecordPolicy(
            onEmpty: world.random.once(in: 2) ? .absent : .records([]),
            emptyGrace: .seconds([0, 2, 6][world.random.below(3)]))
        let count = backing.makeNodes()
        nodes = (0..<count).map { SimulatedNode($0, self) }
    }

    /// Runs everything from start to end.
    func run() {
        for node in nodes { node.start() }
        let count = 3 + world.random.below(3)
        for number in 0..<count {
            // Some clients have an instance of their own, and two may share one.
            let isShared = number >= count - 2 && world.random.once(in: 2)
            let ttl = isShared ? 3 : world.random.once(in: 4) ? 0 : 2 + world.random.below(4)
            let id = isShared ? "shared" : "own\(number)"
            history.add(id: id, ttl: ttl)
            clients.append(SimulatedClient(number, id: id, ttl: ttl, self))
        }
        for client in clients { world.after(world.random.within(0 ... .seconds(2))) { client.live() } }
        storm = backing.storm(self)
        storm?.begin()
        world.run(until: Self.stormTime)
        storm?.end()
        for client in clients { client.isSettled = true }
        waitUntilQuiet()
        if world.failure == nil { backing.finish(self) }
        end()
    }

    /// Waits until everything is as it should be, and has stayed so for a time.
    private func waitUntilQuiet() {
        let deadline = world.now + Self.patience
        var quietSince: Microseconds?
        while world.failure == nil {
            world.run(until: world.now + .milliseconds(500))
            if let problem {
                quietSince = nil
                if world.now > deadline { world.fail("not quiet \(Self.patience / 1_000_000) s after: \(problem)") }
            } else {
                let since = quietSince ?? world.now
                quietSince = since
                if world.now - since >= .seconds(4) { return world.note("quiet") }
            }
        }
    }

    /// The reason why it is not as it should be once no more faults happen.
    private var problem: String? {
        for client in clients where !client.isContent { return "the client of \(client.id) has not got what it wants" }
        let kept: KeptInstances
        do throws(Complaint) {
            kept = try backing.kept(self)
        } catch {
            return error.text
        }
        for id in history.ids {
            let version = kept.instances[id].map { Int($0.weight) }
            let isWanted = clients.contains { $0.id == id && $0.isWanted }
            if let problem = history.problemInTheEnd(
                id, version: version, isRestored: kept.restored.contains(id), isWanted: isWanted)
            {
                return problem
            }
        }
        for node in nodes {
            if let problem = problem(of: node, kept.instances) { return "node \(node.number): \(problem)" }
        }
        return nil
    }

    private func problem(of node: SimulatedNode, _ kept: [String: ServiceInstance]) -> String? {
        guard let life = node.life, life.isLoaded else { return "is not loaded" }
        if let problem = life.store.state.problem { return problem }
        for id in history.ids {
            var shown = life.store.instance(id: id)?.instance
            // If two nodes give the same number at once, one of the two instances is moved.
            if !backing.hasOneOrder, let sequence = kept[id]?.sequence { shown?.sequence = sequence }
            if shown != kept[id] {
                let versions = (shown.map { "v\($0.weight)" } ?? "none", kept[id].map { "v\($0.weight)" } ?? "none")
                return "shows \(versions.0) of \(id), \(versions.1) is kept"
            }
        }
        if life.store.isShared, life.nodes?.all != nodes.compactMap({ $0.life?.nodes?.own }).sorted() {
            return "takes other nodes for alive than those that are"
        }
        return life.zone.problem(life.store)
    }

    /// Lets all tasks end.
    private func end() {
        for node in nodes { node.kill() }
        world.finish()
        (nodes, clients, storm) = ([], [], nil)
    }
}
