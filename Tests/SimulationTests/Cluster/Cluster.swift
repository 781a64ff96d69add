import Engine

@testable import ControlPlane

/// Nodes, their storage and their clients, as the seed determines them.
final class Cluster {
    /// The time during which faults happen.
    private static let stormTime = Microseconds.seconds(20)
    /// The longest time from the end of the faults until all is as it should be.
    private static let patience = Microseconds.seconds(90)
    /// The longest time from the end of the faults until statuses are what the targets are: a lease of a node that is
    /// gone, and as many runs as a check needs. The rest is for nodes that have just been started.
    private static let checkingTime = Microseconds.seconds(20)
    /// The services for which clients register.
    static let services = ["a", "b"]

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
    /// What happened to the policies of services. The operations are called like those of instances: a policy is
    /// registered and deregistered.
    let policies: History
    /// The share of a service above which its instances do not expire together; 1: there is no brake.
    let brakeShare: Double
    let targets: SimulatedTargets
    private(set) var nodes: [SimulatedNode] = []
    private(set) var clients: [SimulatedClient] = []
    private var operators: [SimulatedOperator] = []
    private var storms: [any Storm] = []

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
        policies = History(world)
        policies.afterlife = history.afterlife
        history.companion = policies
        for name in Self.services { policies.add(id: name, ttl: 0) }
        brakeShare = [1, 1, 0.3, 0.5][world.random.below(4)]
        targets = SimulatedTargets(world)
        policy = RecordPolicy(
            onEmpty: world.random.once(in: 2) ? .absent : .records([]),
            emptyGrace: .seconds([0, 2, 6][world.random.below(3)]))
        let count = backing.makeNodes()
        nodes = (0..<count).map { SimulatedNode($0, self) }
    }

    /// Runs everything from start to end.
    func run() {
        for node in nodes { node.start() }
        // The brake is for services of some instances.
        let count = 3 + world.random.below(3) + (brakeShare < 1 ? 2 : 0)
        for number in 0..<count {
            // Some clients have an instance of their own, and two may share one.
            let isShared = number >= count - 2 && world.random.once(in: 2)
            let ttl = isShared ? 3 : world.random.once(in: 4) ? 0 : 2 + world.random.below(4)
            let id = isShared ? "shared" : "own\(number)"
            history.add(id: id, ttl: ttl)
            let checks = ReportingClient.checks(world, takesReports: !isShared, mayBeExpelled: ttl > 0 && !isShared)
            clients.append(SimulatedClient(number, id: id, ttl: ttl, checks, self))
        }
        operators = (0..<2).map { _ in SimulatedOperator(self) }
        for client in clients { world.after(world.random.within(0 ... .seconds(2))) { client.live() } }
        for each in operators { each.live() }
        storms = [backing.storm(self), ClientStorm(self)]
        for storm in storms { storm.begin() }
        world.run(until: Self.stormTime)
        for storm in storms { storm.end() }
        for client in clients {
            client.isSettled = true
            // It would be removed and register again for ever.
            if client.mayBeExpelled { targets.recover(client.address) }
        }
        for each in operators { each.isSettled = true }
        waitUntilQuiet()
        if world.failure == nil { backing.finish(self) }
        end()
    }

    /// Waits until everything is as it should be, and has stayed so for a time.
    private func waitUntilQuiet() {
        // When many targets are down for good, a checker takes itself for cut off at first.
        let hold = brakeShare < 1 ? Microseconds(CutOffDetector.limit) : 0
        let deadline = world.now + Self.patience + hold
        var quietSince: Microseconds?
        while world.failure == nil {
            world.run(until: world.now + .milliseconds(500))
            if let problem {
                quietSince = nil
                if world.now - Self.stormTime > Self.checkingTime + hold,
                    let problem = nodes.lazy.compactMap({ self.problemOfStatuses($0) }).first
                {
                    world.fail("\((Self.checkingTime + hold) / 1_000_000) s after: \(problem)")
                }
                if world.now > deadline {
                    world.fail("not quiet \((Self.patience + hold) / 1_000_000) s after: \(problem)")
                }
            } else {
                let since = quietSince ?? world.now
                quietSince = since
                if world.now - since >= .seconds(4) { return world.note("quiet") }
            }
        }
    }

    /// The reason why it is not as it should be once no more faults happen.
    private var problem: String? {
        if !operators.allSatisfy(\.isContent) { return "an operator waits for an answer" }
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
        for name in Self.services {
            let version = kept.policies[name].flatMap { $0.dnsTTL }.map { Int($0) }
            if let problem = policies.problemOfKeeping(version, of: name) { return "the policy of \(problem)" }
        }
        for node in nodes {
            if let problem = problem(of: node, kept) { return "node \(node.number): \(problem)" }
        }
        return problemOfSharing
    }

    /// The status that a client has reported for its check of type `ttl`; `nil`: nobody does.
    func reportedStatus(_ id: String) -> CheckStatus? {
        clients.first { $0.id == id && $0.isWanted }?.reporting.status
    }

    private func problem(of node: SimulatedNode, _ kept: KeptInstances) -> String? {
        guard let life = node.life, life.isLoaded else { return "is not loaded" }
        if let problem = life.store.state.problem { return problem }
        let policies = life.registry.policies()
        if policies != kept.policies { return "has the policies \(policies), not \(kept.policies)" }
        if let problem = problemOfStatuses(node) { return problem }
        let kept = kept.instances
        for id in history.ids {
            if life.store.instance(id: id)?.instance.isHeld == true { return "holds \(id)" }
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
        return life.problemOfFollowers ?? life.zone.problem(life.registry)
    }

    /// Lets all tasks end.
    private func end() {
        for node in nodes { node.kill() }
        world.finish()
        (nodes, clients, operators, storms) = ([], [], [], [])
    }
}
