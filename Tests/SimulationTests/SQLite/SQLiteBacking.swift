import GRDB

@testable import ControlPlane

/// A disk with the database of one node.
final class SQLiteBacking: Backing {
    fileprivate let world: World
    fileprivate let history: History
    fileprivate let sabotage: Sabotage?
    let disk: SimulatedDisk
    fileprivate let folder: DatabaseFolder
    /// The states of each instance at the last end of the node, and at earlier ends, as long as it could write nothing
    /// in between.
    private var left: [String: [ServiceInstance?]] = [:]
    let hasOneOrder = true
    let lateness: Microseconds = 0
    let takesEverything = true

    init(_ world: World, _ history: History, _ sabotage: Sabotage?) {
        self.world = world
        self.history = history
        self.sabotage = sabotage
        history.afterlife = nil
        disk = SimulatedDisk(world)
        folder = DatabaseFolder(disk)
    }

    func makeNodes() -> Int {
        // The first start may be cut short too.
        if world.random.once(in: 4) {
            disk.prepareCrash(after: world.random.below(80), losesPower: world.random.once(in: 2))
        }
        return 1
    }

    func storage(ofNode number: Int, _ process: SimulatedProcess) throws(StoreUnavailable) -> any NodeStorage {
        try SQLiteNodeStorage(self, process)
    }

    func withoutPaths(_ text: String) -> String { folder.withoutPaths(text) }

    func storm(_ cluster: Cluster) -> any Storm { DiskStorm(cluster, self) }

    func kept(_ cluster: Cluster) throws(Complaint) -> KeptInstances {
        guard let storage = cluster.nodes.first?.life?.storage as? SQLiteNodeStorage else {
            throw Complaint("nobody has the database open")
        }
        var kept = KeptInstances()
        var problem: String?
        do throws(StoreUnavailable) {
            try storage.database.readAll { rows in
                for row in rows {
                    guard let instance = row.instance else {
                        problem = "row \(row.key) is no instance"
                        continue
                    }
                    if kept.instances.updateValue(instance, forKey: instance.id) != nil {
                        problem = "\(instance.id) has two rows"
                    }
                }
            }
        } catch {
            throw Complaint(error.reason)
        }
        if let problem { throw Complaint(problem) }
        do throws(StoreUnavailable) {
            let (policies, malformedCount) = try storage.database.readPolicies()
            if malformedCount > 0 { throw StoreUnavailable(reason: "nonsense instead of a policy") }
            for named in policies { kept.policies[named.name] = named.policy }
        } catch {
            throw Complaint(error.reason)
        }
        return kept
    }

    func wasGone(between earlier: Int, and later: Int) -> Bool { false }

    func finish(_ cluster: Cluster) {
        // Failed changes are decided, because something was written since.
        history.noteCommit()
        for node in cluster.nodes {
            node.kill()
            disk.losePower()
            world.run(until: world.now + .milliseconds(100))
            node.start()
            world.run(until: world.now + .seconds(1))
            if !node.isServing { world.fail("node \(node.number): does not start again") }
        }
    }

    /// What is wrong after a start: the node has something that it can't have kept, or misses something that it kept.
    fileprivate func problemOfLoading(_ store: any Store) -> String? {
        for (name, policy) in policies(store) {
            let version = policy.flatMap { $0.dnsTTL }.map { Int($0) }
            if let problem = history.companion?.problemOfKeeping(version, of: name) {
                return "the policy of \(problem), after a restart"
            }
        }
        for id in history.ids {
            let left = left[id] ?? [nil]
            let before = left.map { $0?.asAsked }
            let stored = store.instance(id: id)?.instance
            let now = stored?.asAsked
            if before.contains(now) {
                guard let stored else { continue }
                let problems = left.compactMap { $0 }.filter { $0.asAsked == now }.map {
                    $0.problemOfResults(becoming: stored)
                }
                if problems.contains(nil) { continue }
                return "of \(id) after a restart \(problems.compactMap { $0 }.first ?? "")"
            }
            // A client may have asked for it at the last moment, and got no answer.
            let mayHaveLeft = history.isOpen(id, .deregister)
            guard let now else {
                if mayHaveLeft { continue }
                return "\(id) is lost with a restart: \(before)"
            }
            if let problem = history.problemOfContent(now) { return "\(problem) after a restart" }
            if !history.isOpen(version: Int(now.weight)) {
                // The instance has expired, and its row was not deleted yet.
                if before.contains(nil), !history.isOver(version: Int(now.weight), of: id) { continue }
                return "\(id) is \(now) after a restart, and was \(before)"
            }
            // A backup has its own time of registration, which changes after it leave as it is.
            let isRestored = history.timesOfRestorations(of: id).contains(now.registeredAt)
            let hasItsPlace = before.contains {
                $0.map { $0.sequence == now.sequence && (isRestored || $0.registeredAt == now.registeredAt) } ?? true
            }
            if !hasItsPlace, !mayHaveLeft { return "\(id) is \(now) after a restart, in another place: \(before)" }
        }
        return nil
    }

    private func policies(_ store: any Store) -> [(name: String, policy: ServicePolicy?)] {
        let policies = store.view.withTable { $0.policies }
        return Cluster.services.map { ($0, policies[$0]) }
    }

    /// The node ends.
    ///
    /// - Parameter isSafe: whether everything that it had is on the disk.
    fileprivate func noteEnd(_ store: any Store, isSafe: Bool) {
        if isSafe { left = [:] }
        for id in history.ids { left[id, default: isSafe ? [] : [nil]].append(store.instance(id: id)?.instance) }
    }
}

/// The database as one process has it.
final class SQLiteNodeStorage: NodeStorage, @unchecked Sendable {
    private let backing: SQLiteBacking
    private let session: DiskSession
    let database: InstanceDatabase
    let store: any Store
    var onCrash: () -> Void = {}
    let isInGap = false
    /// Whether everything that was loaded is on the disk.
    private var isSafe = false

    init(_ backing: SQLiteBacking, _ process: SimulatedProcess) throws(StoreUnavailable) {
        self.backing = backing
        let (sqlite, session) = try backing.folder.open()
        self.session = session
        do throws(StoreUnavailable) {
            database = sqlite.database
            // There are few changes. What happens every 1,000 pages should happen within them.
            let pages = [1, 4, 16, 1000][process.world.random.below(4)]
            try Self.set("wal_autocheckpoint = \(pages)", database)
            switch backing.sabotage {
            case .journalIsNotSynced:
                try Self.set("synchronous = NORMAL", database)
                store = sqlite
            case .rowsStay: store = ForgetfulStore(sqlite, \.isDeregistration)
            case .policiesStay: store = ForgetfulStore(sqlite, \.isRemovalOfPolicy)
            case .resultsAreNotStored: store = ForgetfulStore(sqlite, \.isResult)
            case .answerBeforeCommit: store = HastyStore(sqlite, process.timers, delay: .milliseconds(30))
            default: store = sqlite
            }
        } catch {
            session.sever()
            throw error
        }
        session.onCrash = { [unowned self] in onCrash() }
    }

    private static func set(_ pragma: String, _ database: InstanceDatabase) throws(StoreUnavailable) {
        do {
            try database.queue.inDatabase { try $0.execute(sql: "PRAGMA \(pragma)") }
        } catch {
            throw StoreUnavailable(reason: "\(error)")
        }
    }

    func problemOfLoading() -> String? {
        // If the disk failed, the file would seem damaged.
        if backing.disk.failures == 0 {
            let found = try? database.queue.inDatabase { try String.fetchOne($0, sql: "PRAGMA integrity_check") }
            if let found, found != "ok" { return "the database is damaged: \(found)" }
        }
        let problem = backing.problemOfLoading(store)
        if store.state.isHealthy { noteCommit() }
        return problem
    }

    func noteCommit() {
        isSafe = true
        backing.history.noteCommit()
    }

    func hasRemoved(_ instance: ServiceInstance) -> Bool { true }

    func sever(isLoaded: Bool) {
        if isLoaded { backing.noteEnd(store, isSafe: isSafe) }
        session.sever()
    }
}
