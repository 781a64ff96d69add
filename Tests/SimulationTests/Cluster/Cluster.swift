@testable import ControlPlane

/// Nodes, their etcd and their clients, as a seed has them.
final class Cluster {
    /// How long faults come.
    private static let stormTime = Microseconds.seconds(20)
    /// How long it may take until all is as it should be when they have ended.
    private static let patience = Microseconds.seconds(90)

    let world: World
    let etcd: SimulatedEtcd
    let weather: Weather
    let history: History
    let sabotage: Sabotage?
    private(set) var nodes: [SimulatedNode] = []
    private var clients: [SimulatedClient] = []
    private var storm: Storm?
    /// As of which revision what was written last under each key of an instance counts.
    private var ranks: [String: [String: Int64]] = [:]
    /// When each version was written for a client.
    private var revisions: [Int: Int64] = [:]

    init(seed: UInt64, _ sabotage: Sabotage? = nil) {
        world = World(seed: seed)
        etcd = SimulatedEtcd(world)
        weather = Weather(world)
        history = History(world)
        self.sabotage = sabotage
        let count = 2 + world.random.below(2)
        nodes = (0..<count).map { SimulatedNode($0, self) }
        history.isForgotten = { [unowned self] in isForgotten($0) }
        etcd.onWrite = { [unowned self] key, octets in
            guard key.contains("/services/"), let (instance, asOf) = try? StoredInstance.decodeWithOrigin(octets)
            else { return }
            // It is not taken for the instance by anybody who knows the other name, and is deleted.
            if isOutranked(key, instance.id, asOf) { return }
            let version = Int(instance.weight)
            if asOf == nil { revisions[version] = etcd.revision }
            if let problem = history.problemOfWriting(version, of: instance.id, isRestored: asOf != nil) {
                world.fail(problem)
            }
        }
    }

    /// Whether etcd has forgotten when a version was written.
    private func isForgotten(_ version: Int) -> Bool { revisions[version].map { $0 <= etcd.compacted } ?? false }

    /// Whether what is written under a key is older than what the instance was under another name.
    private func isOutranked(_ key: String, _ id: String, _ asOf: Int64?) -> Bool {
        let rank = min(etcd.revision, asOf ?? etcd.revision)
        ranks[id, default: [:]][key] = rank
        return ranks[id]?.contains { $0.key != key && $0.value > rank } ?? false
    }

    /// Runs everything from the start to the end.
    func run() {
        for node in nodes { node.start() }
        let count = 3 + world.random.below(3)
        for number in 0..<count {
            // Some have an instance of their own, two may have the same.
            let isShared = number >= count - 2 && world.random.once(in: 2)
            let ttl = isShared ? 3 : world.random.once(in: 4) ? 0 : 2 + world.random.below(4)
            let id = isShared ? "shared" : "own\(number)"
            history.add(id: id, ttl: ttl)
            clients.append(SimulatedClient(number, id: id, ttl: ttl, self))
        }
        for client in clients { world.after(world.random.within(0 ... .seconds(2))) { client.live() } }
        storm = Storm(self)
        storm?.begin()
        world.run(until: Self.stormTime)
        storm?.end()
        for client in clients { client.isSettled = true }
        waitUntilQuiet()
        end()
    }

    /// Waits until everything is as it should be, and stays so for a time.
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

    /// Why it is not as it should be when no more faults come.
    private var problem: String? {
        for client in clients where !client.isContent { return "the client of \(client.id) has not got what it wants" }
        var instances: [String: ServiceInstance] = [:]
        var restored: Set<String> = []
        for (key, value) in etcd.keys.sorted(by: { $0.key < $1.key }) where key.contains("/services/") {
            guard let (instance, asOf) = try? StoredInstance.decodeWithOrigin(value.octets) else {
                return "etcd has nonsense at \(key)"
            }
            if asOf != nil { restored.insert(instance.id) }
            if instances.updateValue(instance, forKey: instance.id) != nil { return "\(instance.id) has two keys" }
            if value.lease != 0, etcd.leases[value.lease] == nil { return "\(instance.id) is on no lease" }
        }
        for id in history.ids {
            let version = instances[id].map { Int($0.weight) }
            let isWanted = clients.contains { $0.id == id && $0.isWanted }
            if let problem = history.problemInTheEnd(
                id, version: version, isRestored: restored.contains(id), isWanted: isWanted)
            {
                return problem
            }
        }
        for node in nodes {
            if let problem = problem(of: node, instances) { return "node \(node.number): \(problem)" }
        }
        let used = Set(etcd.keys.values.map(\.lease))
        let unused = etcd.leases.keys.filter { !used.contains($0) }
        return unused.isEmpty ? nil : "nothing is on the leases \(unused.sorted())"
    }

    private func problem(of node: SimulatedNode, _ instances: [String: ServiceInstance]) -> String? {
        guard let life = node.life, life.isLoaded else { return "is not loaded" }
        if let problem = life.store.state.problem { return problem }
        for id in history.ids {
            var shown = life.store.instance(id: id)?.instance
            // Two nodes that give the same number at once move one of them.
            if let sequence = instances[id]?.sequence { shown?.sequence = sequence }
            if shown != instances[id] {
                let versions = (
                    shown.map { "v\($0.weight)" } ?? "none", instances[id].map { "v\($0.weight)" } ?? "none"
                )
                return "shows \(versions.0) of \(id), etcd has \(versions.1)"
            }
        }
        return life.zone.names == life.store.expectedNames ? nil : "DNS does not say what the registry does"
    }

    /// Lets all tasks end.
    private func end() {
        for node in nodes { node.kill() }
        world.finish()
        (nodes, clients, storm) = ([], [], nil)
    }
}
