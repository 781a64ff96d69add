import Logging

@testable import ControlPlane

/// One node of the cluster, which may be killed and started again: registry, committer, store, publisher and zone are
/// the product's.
final class SimulatedNode {
    let number: Int
    private let cluster: Cluster
    /// What a snapshot is written to; `nil`: it has none.
    let file: SimulatedFile?
    /// The process that runs now; `nil`: none does.
    private(set) var life: NodeLife?
    /// Processes that were killed: what is left of their tasks ends without any effect.
    private var former: [NodeLife] = []

    init(_ number: Int, _ cluster: Cluster) {
        self.number = number
        self.cluster = cluster
        file = cluster.world.random.once(in: 2) ? SimulatedFile(cluster.world) : nil
    }

    /// Whether it takes requests.
    var isServing: Bool { life?.isLoaded ?? false }

    func start() {
        if life != nil { return }
        cluster.world.note("node \(number): starts")
        life = NodeLife(number, cluster, file)
        life?.run()
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

/// A node's process from its start to its end.
final class NodeLife: @unchecked Sendable {
    private let number: Int
    private let cluster: Cluster
    let process: SimulatedProcess
    let gateway: SimulatedGateway
    private let file: SimulatedFileHandle?
    let store: any Store
    let registry: Registry
    let zone: SimulatedZone
    private var task: Task<Void, Never>?
    private(set) var isDead = false
    /// When each instance was heard of last, by a heartbeat or a registration that was answered.
    private var heard: [String: Microseconds] = [:]
    /// What is shown of each instance: its version.
    private var shown: [String: Int] = [:]
    /// What was shown last of each instance, gone or not.
    private var latest: [String: Int] = [:]

    init(_ number: Int, _ cluster: Cluster, _ file: SimulatedFile?) {
        self.number = number
        self.cluster = cluster
        self.file = file.map { SimulatedFileHandle($0) }
        let world = cluster.world
        process = SimulatedProcess(world)
        world.add(process)
        process.wallOffset = world.random.within(.seconds(-2) ... .seconds(2))
        gateway = SimulatedGateway(process, cluster.etcd, cluster.weather, node: number, cluster.sabotage)
        // What has happened since it was written is not told: it reads everything.
        self.file?.onRead = { [gateway] in gateway.beginGap() }
        let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        let etcdStore = EtcdStore(
            Configuration.Etcd(), client: gateway, clock: process.time, timers: process.timers,
            node: UInt64(world.random.below(2048)), snapshot: self.file, logger: logger)
        store = cluster.sabotage == .answerBeforeCommit ? HastyStore(etcdStore) : etcdStore
        zone = SimulatedZone(process, cluster.sabotage)
        registry = Registry(
            store: store, publisher: ZonePublisher(sink: zone, policy: RecordPolicy()),
            limits: Configuration.RegistryLimits(), cleanupInterval: .seconds(5), time: process.time,
            timers: process.timers, executor: process.thread, logger: logger)
    }

    var isLoaded: Bool { registry.isLoaded && !isDead }

    func run() {
        zone.onPublication = { [unowned self] in look() }
        task = process.start { [registry, process, number] in
            do {
                try await registry.load()
            } catch {
                return
            }
            process.world.note("node \(number): is loaded")
            await registry.run()
        }
    }

    /// From here on nothing that it does has an effect: its tasks are only let end.
    func kill() {
        isDead = true
        file?.sever()
        gateway.sever()
        registry.stop()
        task?.cancel()
        if process.isPaused { process.resume() }
    }

    // MARK: What clients ask of it

    func submit(
        _ operation: Operation, _ command: RegistryCommand, _ receive: @escaping @Sendable (Operation.Result) -> Void
    ) {
        process.start { [self] in
            var result = Operation.Result.unknown
            var outcome: CommandOutcome?
            do throws(RegistryError) {
                outcome = try await registry.submit([command]).first
            } catch {
                process.world.note("node \(number): \(error)")
            }
            if !isDead {
                switch outcome {
                case .registered, .patched, .deregistered: result = .kept
                case .unknownInstance: result = .refused
                case .refused, nil: result = .unknown
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

    /// A change is about to be answered: who reads now sees it.
    private func answered(_ operation: Operation, _ result: Operation.Result) {
        process.world.note("node \(number): \(operation) is \(result)")
        guard result == .kept else { return }
        let version = store.instance(id: operation.id).map { Int($0.instance.weight) }
        if let problem = cluster.history.problemOfReading(version, after: operation) {
            process.world.fail("node \(number): the read after \(operation) \(problem)")
        }
        // Nothing is known of its heartbeats if others have gone past.
        if operation.kind == .register, version == operation.version {
            heard[operation.id] = max(heard[operation.id] ?? 0, operation.start)
        }
        if zone.names != store.expectedNames {
            process.world.fail("node \(number): DNS does not say what the registry does after \(operation)")
        }
    }

    /// Something was published.
    private func look() {
        if isDead { return }
        for id in cluster.history.ids {
            let version = store.instance(id: id).map { Int($0.instance.weight) }
            if version == shown[id] { continue }
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

    /// An instance is not there: it must not have been heard of within its ttl, unless somebody has deregistered what
    /// was shown, or etcd has forgotten whether anybody has.
    private func checkGone(_ id: String) {
        guard let heard = heard[id], let ttl = cluster.history.ttl(of: id), let latest = latest[id] else { return }
        if gateway.isInGap || cluster.history.mayHaveLeft(id, after: latest) {
            self.heard[id] = nil
        } else if process.world.now < heard + .seconds(Int64(ttl)) {
            process.world.fail("node \(number): \(id) is gone, though it was heard of at \(heard / 1000) ms here")
        }
    }
}
