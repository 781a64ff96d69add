@testable import ControlPlane

/// The process of a node from its start to its end.
final class NodeLife: @unchecked Sendable {
    private let number: Int
    private let cluster: Cluster
    let process: SimulatedProcess
    let storage: any NodeStorage
    var store: any Store { storage.store }
    let registry: Registry
    let health: HealthChecks
    let zone: SimulatedZone
    private var checker: SimulatedChecker?
    private var brake: BrakeCheck
    private var expulsions = ExpulsionCheck()
    private var follower: ChangeFollower?
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
    /// What each instance was when something was last published.
    private var before: [String: RegisteredInstance] = [:]
    /// All nodes that it has ever known.
    private var everKnown: Set<String> = []

    init(_ number: Int, _ cluster: Cluster) throws(StoreUnavailable) {
        self.number = number
        self.cluster = cluster
        let world = cluster.world
        process = SimulatedProcess(world)
        world.add(process)
        process.wallOffset = world.random.within(.seconds(-2) ... .seconds(2))
        storage = try cluster.backing.storage(ofNode: number, process)
        brake = BrakeCheck(share: cluster.brakeShare, isExact: cluster.backing.hasOneOrder)
        zone = SimulatedZone(process, cluster.policy, lateness: cluster.backing.lateness, cluster.sabotage)
        var policy = cluster.policy
        policy.emptyGrace = cluster.sabotage?.emptyGrace(policy.emptyGrace) ?? policy.emptyGrace
        registry = Registry(
            store: storage.store, publisher: ZonePublisher(sink: zone, policy: policy),
            limits: Configuration.RegistryLimits(), cleanupInterval: .seconds(5),
            massExpiryBrake: cluster.sabotage?.brakeShare(cluster.brakeShare) ?? cluster.brakeShare,
            time: process.time, timers: process.timers, executor: process.thread, logger: .none)
        var checker: SimulatedChecker?
        do throws(StartError) {
            health = try HealthChecks(registry: registry, timers: process.timers, logger: .none) { [process] handlers in
                let new = SimulatedChecker(
                    number, process, cluster.targets, share: cluster.brakeShare, handlers, cluster.sabotage)
                checker = new
                return new
            }
        } catch {
            throw StoreUnavailable(reason: "\(error)")
        }
        self.checker = checker
        checker?.onRemovals = { [unowned self] removals in
            for removal in removals where !isDead {
                process.world.note("node \(number): \(removal.id) is to be removed: \(removal.reason)")
                expulsions.note(removal, registry.instance(id: removal.id), cluster.history)
            }
        }
    }

    var isLoaded: Bool { registry.isLoaded && !isDead }

    func run() {
        zone.onPublication = { [unowned self] in look() }
        storage.onCrash = { [unowned self] in end() }
        task = process.start { [self] in
            let start = process.world.now
            do throws(StoreUnavailable) {
                try await registry.load()
                process.world.note("node \(number): is loaded")
                if !isDead, let problem = storage.problemOfLoading() {
                    process.world.fail("node \(number): \(problem)")
                }
                if !isDead { begin(since: start) }
                await withTaskGroup { group in
                    group.addTask { [self] in await store.watchNodes { [self] in learn($0) } }
                    group.addTask { [self] in
                        for await _ in health.found where cluster.sabotage != .resultsStayHere { await health.passOn() }
                    }
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

    /// Everything is loaded.
    private func begin(since start: Microseconds) {
        health.begin()
        // A whole ttl for everybody who was alive.
        if cluster.backing.hasOneOrder {
            for registered in store.allInstances() { heard[registered.id] = start }
        }
        look()
        lookAtHealth()
        follower = ChangeFollower(registry)
        registry.listeners.add { [weak self] changes, _ in
            self?.follow(changes)
            self?.lookAtHealth()
        }
        if let problem = zone.problem(registry) { process.world.fail("node \(number): after its start \(problem)") }
        guard cluster.sabotage == .brakeNeverEnds else { return }
        _ = process.timers.every(.milliseconds(500), after: .zero) { [self] in
            let now = process.time.now()
            for instance in store.allInstances() where instance.isHeld && !isDead {
                let lease = Lease(ttlSeconds: instance.ttlSeconds, now: now)
                store.view.withTable { _ = $0.put(instance, lease: lease) }
            }
        }
    }

    private func learn(_ nodes: CheckerNodes) {
        if isDead || cluster.sabotage == .nodesAreLearnedOnce && self.nodes != nil { return }
        process.world.note("node \(number): knows \(nodes.all.count) nodes")
        self.nodes = nodes
        everKnown.formUnion(nodes.all)
        let isForgetting = cluster.sabotage != .nodesThatAreGoneCheck
        health.share(among: isForgetting ? nodes : CheckerNodes(own: nodes.own, others: everKnown))
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
        checker?.isOver = true
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
        _ operation: Operation, _ command: RegistryCommand, _ history: History,
        _ receive: @escaping @Sendable (Operation.Result) -> Void
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
                answered(operation, result, history)
            }
            receive(result)
        }
    }

    /// A client reports the result of a check.
    func report(
        _ id: String, _ check: String, _ status: CheckStatus, _ receive: @escaping @Sendable (Operation.Result) -> Void
    ) {
        process.start { [self] in
            let report = CheckReport(name: check, status: status, time: process.time.now().wall, origin: .client)
            let outcome = try? await registry.report(id: id, report)
            if isDead { return receive(.unknown) }
            guard let outcome else { return receive(.unknown) }
            process.world.note("node \(number): \(id) is reported as \(status) by \(check)")
            guard case .reported(let registered) = outcome else { return receive(.refused) }
            health.note(report, ofInstance: id)
            // Those who share an instance may have moved it to and fro meanwhile.
            if id != "shared", let now = store.instance(id: id),
                now.instance.registeredAt == registered.instance.registeredAt,
                now.instance.address == registered.instance.address, now.instance.port == registered.instance.port,
                !cluster.backing.wasGone(
                    between: Int(registered.instance.weight), and: Int(now.instance.weight)),
                let check = registered.instance.checks.first(where: { $0.name == check }),
                registered.result(of: check).isNewer(than: now.result(of: check))
            {
                process.world.fail("node \(number): the result of \(check.name) of \(id) was answered and is gone")
            }
            receive(.kept)
        }
    }

    /// - Returns: whether the instance is known.
    func hear(_ id: String, ttl: Int) -> Bool {
        let isKnown = registry.renew(id: id) != nil
        if isKnown {
            heard[id] = process.world.now
            if store.instance(id: id)?.instance.isHeld == true {
                process.world.fail("node \(number): \(id) is held, though it was heard of just now")
            }
        } else {
            checkGone(id)
        }
        return isKnown
    }

    // MARK: What must hold

    /// A change is about to be answered: whoever reads now must see it.
    private func answered(_ operation: Operation, _ result: Operation.Result, _ history: History) {
        process.world.note("node \(number): \(operation) is \(result)")
        guard result == .kept else { return }
        storage.noteCommit()
        let isPolicy = history === cluster.policies
        let version =
            isPolicy
            ? registry.policy(of: operation.id)?.dnsTTL.map { Int($0) }
            : store.instance(id: operation.id).map { Int($0.instance.weight) }
        if let problem = history.problemOfReading(version, after: operation) {
            process.world.fail("node \(number): the read after \(operation) \(problem)")
        }
        // If other changes have overtaken it, nothing is known of its heartbeats.
        if operation.kind == .register, version == operation.version, !isPolicy {
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
        if !isDead, let problem = zone.problem(registry) {
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
                // A heartbeat may have been for one that has left since, before this one came.
                if let earlier = latest[id], !cluster.backing.hasOneOrder,
                    cluster.history.mayHaveLeft(id, after: earlier)
                {
                    heard[id] = nil
                }
                latest[id] = version
                if let problem = cluster.history.problemOfShowing(version, of: id) {
                    process.world.fail("node \(number): \(problem)")
                }
            } else {
                checkGone(id)
            }
        }
    }

    /// Changes are told to whoever follows them.
    private func follow(_ changes: ArraySlice<InstanceChange>) {
        for change in changes where !isDead {
            if let problem = expulsions.problem(change, cluster.history, hasRemoved: storage.hasRemoved) {
                process.world.fail("node \(number): \(problem)")
            }
            if cluster.sabotage == .changesAreNotTold, process.world.random.once(in: 50) { continue }
            if let problem = follower?.apply(change) { process.world.fail("node \(number): \(problem)") }
        }
    }

    /// What those who have followed its changes do not know.
    var problemOfFollowers: String? { follower?.problem(registry) }

    /// Holds what is shown of checks and of the brake against what was shown before.
    private func lookAtHealth() {
        if isDead { return }
        var present: [String: RegisteredInstance] = [:]
        for id in cluster.history.ids {
            guard let registered = store.instance(id: id) else { continue }
            present[id] = registered
            // With etcd a node may write what it knows once more, until those that know more write again.
            if cluster.backing.hasOneOrder, id != "shared", let old = before[id],
                let problem = old.instance.problemOfResults(becoming: registered.instance)
            {
                process.world.fail("node \(number): of \(id) \(problem)")
            }
        }
        let problem = brake.problem(
            present, heard: { heard[$0] },
            hasLeft: { id in latest[id].map { cluster.history.mayHaveLeft(id, after: $0) } ?? true },
            process.world.now)
        if let problem { process.world.fail("node \(number): \(problem)") }
        for (id, since) in brake.heldSince.sorted(by: { $0.key < $1.key })
        where before[id]?.instance.isHeld != true { checkEnd(ofHolding: id, since) }
        before = present
    }

    /// An instance that is held goes after one more ttl.
    private func checkEnd(ofHolding id: String, _ since: Microseconds) {
        guard cluster.backing.hasOneOrder, let ttl = cluster.history.ttl(of: id) else { return }
        process.world.note("node \(number): \(id) is held")
        // The search for expired instances comes every 2.5 s.
        process.world.after(.seconds(Int64(ttl)) + .seconds(4), process) { [self] in
            if isDead || brake.heldSince[id] != since || process.resumedAt > since { return }
            if store.instance(id: id)?.instance.isHeld == true {
                process.world.fail("node \(number): \(id) is still held")
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
