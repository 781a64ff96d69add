@testable import ControlPlane

/// One node of the cluster, which may be killed and started again. Registry, committer, store and publisher are the
/// product's.
final class SimulatedNode {
    let number: Int
    private let cluster: Cluster
    /// The process that is running; `nil`: none is.
    private(set) var life: NodeLife?
    /// How many times a later start was planned. Only the latest plan counts.
    private var startCount = 0
    /// Processes that were killed. Their remaining tasks end without any effect.
    private var former: [NodeLife] = []

    init(_ number: Int, _ cluster: Cluster) {
        self.number = number
        self.cluster = cluster
    }

    /// Whether it accepts requests.
    var isServing: Bool { life?.isLoaded ?? false }

    func start() {
        if life != nil { return }
        cluster.world.note("node \(number): starts")
        do throws(StoreUnavailable) {
            let life = try NodeLife(number, cluster)
            self.life = life
            life.onEnd = { [unowned self, unowned life] in
                cluster.world.after(0) { [self] in
                    guard self.life === life else { return }
                    kill()
                    startLater()
                }
            }
            life.run()
        } catch {
            cluster.world.note("node \(number): can't start: \(cluster.backing.withoutPaths("\(error)"))")
            startLater()
        }
    }

    func startLater() {
        startCount += 1
        cluster.world.after(cluster.world.random.within(.milliseconds(50) ... .seconds(4))) { [self, startCount] in
            if self.startCount == startCount { start() }
        }
    }

    /// Ends the process in good order.
    func stop() {
        guard let life, !life.isDead else { return }
        cluster.world.note("node \(number): is stopped")
        life.registry.stop()
    }

    func kill() {
        guard let life else { return }
        cluster.world.note("node \(number): is killed")
        self.life = nil
        former.append(life)
        life.kill()
    }

    func pause(for time: Microseconds) {
        guard let life, !life.process.isPaused else { return }
        cluster.world.note("node \(number): pauses")
        life.process.pause()
        cluster.world.after(time) { [cluster, number] in
            if !life.process.isPaused { return }
            cluster.world.note("node \(number): goes on")
            life.process.resume()
        }
    }
}

/// The process of a node from its start to its end.
final class NodeLife: @unchecked Sendable {
    private let number: Int
    private let cluster: Cluster
    let process: SimulatedProcess
    let storage: any NodeStorage
    var store: any Store { storage.store }
    let registry: Registry
    let zone: SimulatedZone
    private var task: Task<Void, Never>?
    private(set) var isDead = false
    /// The nodes that it knows; `nil`: it has not been told yet.
    private(set) var nodes: CheckerNodes?
    /// Called when it ends by itself.
    var onEnd: () -> Void = {}
    /// When each instance was last heard of, by a heartbeat or by a registration that was answered.
    private var heard: [String: Microseconds] = [:]
    /// The version of each instance that is shown.
    private var shown: [String: Int] = [:]
    /// The version of each instance that was last shown, whether it is gone or not.
    private var latest: [String: Int] = [:]

    init(_ number: Int, _ cluster: Cluster) throws(StoreUnavailable) {
        self.number = number
        self.cluster = cluster
        let world = cluster.world
        process = SimulatedProcess(world)
        world.add(process)
        process.wallOffset = world.random.within(.seconds(-2) ... .seconds(2))
        storage = try cluster.backing.storage(ofNode: number, process)
        zone = SimulatedZone(process, cluster.policy, lateness: cluster.backing.lateness, cluster.sabotage)
        var policy = cluster.policy
        policy.emptyGrace = cluster.sabotage?.emptyGrace(policy.emptyGrace) ?? policy.emptyGrace
        registry = Registry(
            store: storage.store, publisher: ZonePublisher(sink: zone, policy: policy),
            limits: Configuration.RegistryLimits(), cleanupInterval: .seconds(5), time: process.time,
            timers: process.timers, executor: process.thread, logger: .none)
    }

    var isLoaded: Bool { registry.isLoaded && !isDead }

    func run() {
        zone.onPublication = { [unowned self] in look() }
        storage.onCrash = { [unowned self] in end() }
        task = process.start { [self] in
            do throws(StoreUnavailable) {
                try await registry.load()
                process.world.note("node \(number): is loaded")
                if !isDead, let problem = storage.problemOfLoading() {
                    process.world.fail("node \(number): \(problem)")
                }
                await withTaskGroup { group in
                    group.addTask { [self] in await store.watchNodes { [self] in learn($0) } }
                    await registry.run()
                    group.cancelAll()
                }
            } catch {
                process.world.note("node \(number): can't load: \(cluster.backing.withoutPaths("\(error)"))")
                end()
                // The process is gone, and its lock with it.
                await store.close()
            }
            end()
        }
    }

    private func learn(_ nodes: CheckerNodes) {
        if isDead || cluster.sabotage == .nodesAreLearnedOnce && self.nodes != nil { return }
        process.world.note("node \(number): knows \(nodes.all.count) nodes")
        self.nodes = nodes
    }

    /// The process ends, by itself or because of what happens to it.
    private func end() {
        if isDead { return }
        die()
        onEnd()
    }

    private func die() {
        if isDead { return }
        isDead = true
        zone.isOver = true
        storage.sever(isLoaded: registry.isLoaded)
    }

    /// Nothing that it does from here on has an effect. Its tasks are only allowed to end.
    func kill() {
        die()
        registry.stop()
        task?.cancel()
        if process.isPaused { process.resume() }
    }

    // MARK: Requests of clients

    func submit(
        _ operation: Operation, _ command: RegistryCommand, _ receive: @escaping @Sendable (Operation.Result) -> Void
    ) {
        process.start { [self] in
            var result = Operation.Result.unknown
            var outcome: CommandOutcome?
            do throws(RegistryError) {
                outcome = try await registry.submit([command]).first
            } catch {
                process.world.note("node \(number): \(cluster.backing.withoutPaths("\(error)"))")
            }
            if !isDead {
                switch outcome {
                case .registered, .patched, .deregistered, .reported, .policySet, .policyRemoved: result = .kept
                case .unknownInstance, .unknownCheck, .unknownPolicy: result = .refused
                case .refused, .denied, nil: result = .unknown
                }
                answered(operation, result)
            }
            receive(result)
        }
    }

    /// - Returns: whether the instance is known.
    func hear(_ id: String, ttl: Int) -> Bool {
        let isKnown = registry.renew(id: id) != nil
        if isKnown {
            heard[id] = process.world.now
        } else {
            checkGone(id)
        }
        return isKnown
    }

    // MARK: What must hold

    /// A change is about to be answered: whoever reads now must see it.
    private func answered(_ operation: Operation, _ result: Operation.Result) {
        process.world.note("node \(number): \(operation) is \(result)")
        guard result == .kept else { return }
        storage.noteCommit()
        let version = store.instance(id: operation.id).map { Int($0.instance.weight) }
        if let problem = cluster.history.problemOfReading(version, after: operation) {
            process.world.fail("node \(number): the read after \(operation) \(problem)")
        }
        // If other changes have overtaken it, nothing is known of its heartbeats.
        if operation.kind == .register, version == operation.version {
            heard[operation.id] = max(heard[operation.id] ?? 0, operation.start)
        }
        if cluster.backing.hasOneOrder {
            // The committer may be in the middle of the next change. It completes that before time goes on.
            process.world.after(0, process) { [self] in checkDNS(after: operation) }
        } else {
            checkDNS(after: operation)
        }
    }

    private func checkDNS(after operation: Operation) {
        if !isDead, let problem = zone.problem(store) {
            process.world.fail("node \(number): after \(operation) \(problem)")
        }
    }

    /// Something was published.
    private func look() {
        if isDead { return }
        for id in cluster.history.ids {
            let instance = store.instance(id: id)?.instance
            let version = instance.map { Int($0.weight) }
            if version == shown[id] { continue }
            if let instance, let problem = cluster.history.problemOfContent(instance) {
                process.world.fail("node \(number): \(problem)")
            }
            process.world.note("node \(number): \(id) is \(version.map { "v\($0)" } ?? "gone")")
            shown[id] = version
            if let version {
                latest[id] = version
                if let problem = cluster.history.problemOfShowing(version, of: id) {
                    process.world.fail("node \(number): \(problem)")
                }
            } else {
                checkGone(id)
            }
        }
    }

    /// An instance is gone. It must not have been heard of within its ttl, unless somebody has deregistered what was
    /// shown, or etcd has forgotten whether anybody has.
    private func checkGone(_ id: String) {
        guard let heard = heard[id], let ttl = cluster.history.ttl(of: id), let latest = latest[id] else { return }
        if storage.isInGap || cluster.history.mayHaveLeft(id, after: latest) {
            self.heard[id] = nil
        } else if process.world.now < heard + .seconds(Int64(ttl)) {
            process.world.fail("node \(number): \(id) is gone, though it was heard of at \(heard / 1000) ms here")
        }
    }
}
