@testable import ControlPlane

/// etcd, each node's way to it, and the nodes' snapshots of it.
final class EtcdBacking: Backing {
    private let world: World
    private let history: History
    private let sabotage: Sabotage?
    let etcd: SimulatedEtcd
    let weather: Weather
    /// The file of each node's snapshot; `nil` if it has none.
    private(set) var files: [SimulatedFile?] = []
    /// For each key of an instance, the revision as of which its latest value counts.
    private var ranks: [String: [String: Int64]] = [:]
    /// For each key of an instance, the latest revision up to which a writer of it has known everything.
    private var knownUpTo: [String: Int64] = [:]
    /// The revision at which each version was written for a client.
    private var revisions: [Int: Int64] = [:]
    /// How many keys of each instance were deleted.
    private var deletions: [String: Int] = [:]
    /// How many keys of its instance had been deleted when each version was first written.
    private var deletionsBefore: [Int: Int] = [:]
    /// What each key of an instance has.
    private var written: [String: ServiceInstance] = [:]
    let hasOneOrder = false
    let lateness = Microseconds.seconds(30)
    let takesEverything = false

    init(_ world: World, _ history: History, _ sabotage: Sabotage?) {
        self.world = world
        self.history = history
        self.sabotage = sabotage
        etcd = SimulatedEtcd(world)
        weather = Weather(world)
        history.isForgotten = { [unowned self] in isForgotten($0) }
        etcd.onWrite = { [unowned self] in look($0, $1) }
        etcd.onDelete = { [unowned self] in noteDeletion($0) }
    }

    func makeNodes() -> Int {
        let count = 2 + world.random.below(2)
        files = (0..<count).map { _ in world.random.once(in: 2) ? SimulatedFile(world) : nil }
        return count
    }

    func storage(ofNode number: Int, _ process: SimulatedProcess) -> any NodeStorage {
        EtcdNodeStorage(self, process, node: number, sabotage)
    }

    func withoutPaths(_ text: String) -> String { text }

    func storm(_ cluster: Cluster) -> any Storm { EtcdStorm(cluster, self) }

    /// Something is written under a key.
    private func look(_ key: String, _ octets: [UInt8]) {
        guard key.contains("/services/"), let (instance, origin) = try? StoredInstance.decodeWithOrigin(octets)
        else { return }
        let asOf = origin.asOf
        let version = Int(instance.weight)
        if deletionsBefore[version] == nil { deletionsBefore[version] = deletions[instance.id] ?? 0 }
        // One that is written again may be so by a node that has missed something.
        if asOf == nil, instance.id != "shared", let problem = written[key]?.problemOfResults(becoming: instance) {
            world.fail("of \(instance.id) \(problem)")
        }
        written[key] = instance
        // A node that did not know the last value has written the instance again. A node that knows that value writes it
        // over this one.
        let isOvertaken = asOf.map { $0 < knownUpTo[key] ?? 0 } ?? false
        // Nobody who knows the other name takes it for the instance, and it is deleted.
        if isOutranked(key, instance.id, origin) { return }
        if asOf == nil { revisions[version] = etcd.revision }
        if let problem = history.problemOfWriting(
            version, of: instance.id, isRestored: asOf != nil, isOvertaken: isOvertaken)
        {
            world.fail(asOf.map { "\(problem), as of \($0)" } ?? problem)
        }
    }

    /// A key is deleted. If its instance is being deregistered, what was written under another name before is left over:
    /// the node that deregisters it may not have heard of that name.
    private func noteDeletion(_ key: String) {
        written[key] = nil
        guard key.contains("/services/") else { return }
        let id = String(key[(key.lastIndex(of: "/").map(key.index(after:)) ?? key.startIndex)...])
        deletions[id, default: 0] += 1
        if history.isOpen(id, .deregister) { ranks[id, default: [:]][key] = etcd.revision + 1 }
    }

    func wasGone(between earlier: Int, and later: Int) -> Bool { deletionsBefore[earlier] != deletionsBefore[later] }

    /// Whether etcd has forgotten when a version was written, or a node was not told of it. A node that has to read
    /// everything also misses what has happened since and is gone by then.
    private func isForgotten(_ version: Int) -> Bool {
        revisions[version].map { $0 <= etcd.forgotten } ?? false
    }

    /// Whether a value written under a key is older than the instance's value under another name.
    private func isOutranked(_ key: String, _ id: String, _ origin: StoredOrigin) -> Bool {
        let rank = origin.rank(at: etcd.revision)
        ranks[id, default: [:]][key] = rank
        knownUpTo[key] = max(knownUpTo[key] ?? 0, origin.knownUpTo(etcd.revision))
        return ranks[id]?.contains { $0.key != key && $0.value > rank } ?? false
    }

    func kept(_ cluster: Cluster) throws(Complaint) -> KeptInstances {
        var kept = KeptInstances()
        for (key, value) in etcd.keys.sorted(by: { $0.key < $1.key }) where key.contains("/services/") {
            guard let (instance, origin) = try? StoredInstance.decodeWithOrigin(value.octets) else {
                throw Complaint("etcd has nonsense at \(key)")
            }
            if origin.asOf != nil { kept.restored.insert(instance.id) }
            if kept.instances.updateValue(instance, forKey: instance.id) != nil {
                throw Complaint("\(instance.id) has two keys")
            }
            if value.lease != 0, etcd.leases[value.lease] == nil { throw Complaint("\(instance.id) is on no lease") }
        }
        for (key, value) in etcd.keys where key.contains("/policies/") {
            guard let named = try? StoredPolicy.decode(value.octets) else { throw Complaint("nonsense at \(key)") }
            kept.policies[named.name] = named.policy
        }
        let used = Set(etcd.keys.values.map(\.lease))
        let unused = etcd.leases.keys.filter { !used.contains($0) }
        if !unused.isEmpty { throw Complaint("nothing is on the leases \(unused.sorted())") }
        return kept
    }

    func finish(_ cluster: Cluster) {}
}

/// A node's way to etcd, and its snapshot.
final class EtcdNodeStorage: NodeStorage, @unchecked Sendable {
    let gateway: SimulatedGateway
    private let file: SimulatedFileHandle?
    private let etcd: SimulatedEtcd
    private let node: Int
    let store: any Store
    var onCrash: () -> Void = {}

    init(_ backing: EtcdBacking, _ process: SimulatedProcess, node: Int, _ sabotage: Sabotage?) {
        etcd = backing.etcd
        self.node = node
        file = backing.files[node].map { SimulatedFileHandle($0) }
        gateway = SimulatedGateway(process, backing.etcd, backing.weather, node: node, sabotage)
        // Nobody reports what has happened since it was written, so the node reads everything.
        file?.onRead = { [gateway] in gateway.beginGap() }
        let etcdStore = EtcdStore(
            Configuration.Etcd(), client: gateway, clock: process.time, timers: process.timers,
            node: UInt64(process.world.random.below(2048)),
            identity: EtcdMembership.identity(process.world.random.next()), snapshot: file, logger: .none)
        store =
            switch sabotage {
            case .answerBeforeCommit: HastyStore(etcdStore, process.timers, delay: .zero)
            case .resultsAreNotStored: ForgetfulStore(etcdStore, \.isResult)
            default: etcdStore
            }
    }

    var isInGap: Bool { gateway.isInGap }

    func problemOfLoading() -> String? { nil }

    func noteCommit() {}

    func hasRemoved(_ instance: ServiceInstance) -> Bool {
        etcd.hasRemoved("/kong-discovery/v1/services/\(instance.name)/\(instance.id)", node: node)
    }

    func sever(isLoaded: Bool) {
        file?.sever()
        gateway.sever()
    }
}
