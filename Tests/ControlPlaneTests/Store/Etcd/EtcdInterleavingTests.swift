import Testing

@testable import ControlPlane

/// Nodes whose own results, findings and watch events arrive in any possible order.
///
/// Each seed is a history: nodes register, move, change, deregister and restore instances in a model of etcd, leases
/// end, malformed values are written, data is lost, and the nodes learn of it early or late, twice, or by reading
/// everything anew. The states of their replicas are compared with the model.
@Suite struct EtcdInterleavingTests {
    @Test(arguments: 0..<20)
    func `whatever the order of news, nodes end with what etcd has and never go back`(part: UInt64) {
        for seed in part * 300..<part * 300 + 300 {
            var cluster = InterleavedCluster(seed: seed)
            cluster.run()
            for problem in cluster.problems.prefix(3) { Issue.record("seed \(seed): \(problem)") }
            if !cluster.problems.isEmpty { return }
        }
    }
}

/// Nodes and their etcd, stepped by a seed.
private struct InterleavedCluster {
    /// A write on its way: planned, then carried out by etcd, then known here.
    private struct Flight {
        var writes: [EtcdWrite]
        var history: Int
        /// The revision up to which the node had seen everything when it restored something; `nil`: it does not
        /// restore.
        var restoresAt: Int64?
        /// `nil`: it has not reached etcd yet.
        var result: (revision: Int64, isKept: Bool)?
    }

    private struct Node {
        var replica = EtcdReplica()
        var view: [String: ServiceInstance] = [:]
        /// The revision up to which the watch has reported.
        var watched: Int64 = 1
        /// The history of etcd that it knows.
        var epoch = 0
        var commit: Flight?
        var restoration: Flight?
        var findings: [EtcdInbox.Item] = []
        /// The last piece of news, to be delivered again.
        var lastItem: EtcdInbox.Item?
        /// The complete state that was read and not taken in yet.
        var everything: EtcdInbox.Item?
        /// The instances whose heartbeats arrive here.
        var alive: Set<String> = []
        /// The first revision of the last state shown of each id, and the last deletion reported of each key.
        var shown: [String: Int64] = [:]
        var deleted: [InstanceKey: Int64] = [:]
        /// What was last taken in, for error messages.
        var last = ""
    }

    private static let names = ["a", "b"]
    private static let ids = ["i1", "i2", "i3"]

    private(set) var problems: [String] = []
    private var random: SplitMix64
    private var etcd = EtcdModel()
    private var epoch = 0
    private var nodes: [Node]
    private let keys = EtcdKeyspace(prefix: "/x")
    /// Every instance that was ever written, by the number that is its value, with its revisions.
    private var instances: [ServiceInstance] = []
    private var revisions: [[Int64]] = []
    /// Ids that were registered under two names at once, or of which a node has missed events: what is shown of them
    /// may be older than what was shown before.
    private var contested: Set<String> = []
    private let now = ContinuousClock.now

    init(seed: UInt64) {
        random = SplitMix64(seed: seed &* 0x9E37_79B9)
        nodes = []
        nodes = (0..<Int.random(in: 2...3, using: &random)).map { _ in Node() }
    }

    mutating func run() {
        for _ in 0..<Int.random(in: 20...120, using: &random) {
            step(Int.random(in: nodes.indices, using: &random))
            if !problems.isEmpty { return }
        }
        finish()
    }

    private mutating func step(_ number: Int) {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<18: plan(number)
        case 18..<34: execute(number)
        case 34..<46: learn(number)
        case 46..<66: hear(number)
        case 66..<70: hearAgain(number)
        case 70..<76: takeFindings(number)
        case 76..<80: endLease()
        case 80..<83: readEverything(number)
        case 83..<88: takeEverything(number)
        case 88..<91: restore(number)
        case 91..<94: sweep(number)
        case 94..<96: doubt(number)
        case 96..<98: nodes[number].alive.formSymmetricDifference([Self.ids.randomElement(using: &random) ?? ""])
        case 98: writeNonsense()
        default: if Int.random(in: 0..<4, using: &random) == 0 { wipe() }
        }
    }

    // MARK: What nodes do

    private mutating func plan(_ number: Int) {
        guard nodes[number].commit == nil else { return }
        var writes: [EtcdWrite] = []
        for id in Self.ids.shuffled(using: &random).prefix(Int.random(in: 1...2, using: &random)) {
            let known = nodes[number].replica.entry(id: id)
            var write = EtcdWrite(id: id, known: known, lease: Int64.random(in: 0...1, using: &random))
            switch (Int.random(in: 0..<4, using: &random), nodes[number].view[id]) {
            case (0, .some): break
            case (1, let shown?): write.instance = instance(id, shown.name)
            default: write.instance = instance(id, Self.names.randomElement(using: &random) ?? "a")
            }
            if known != nil || write.instance != nil { writes.append(write) }
        }
        let history = nodes[number].replica.history
        if !writes.isEmpty {
            nodes[number].commit = Flight(writes: writes, history: history)
        }
    }

    /// An instance that was never written before.
    private mutating func instance(_ id: String, _ name: String) -> ServiceInstance {
        var instance = ServiceInstance.test(1, name: name)
        instance.id = id
        instance.sequence = UInt64(instances.count)
        instances.append(instance)
        revisions.append([])
        return instance
    }

    private mutating func restore(_ number: Int) {
        let node = nodes[number]
        guard node.restoration == nil else { return }
        let writes = node.replica.decidableOrphans.compactMap { id, orphan -> EtcdWrite? in
            guard orphan.isToBeRestored || node.alive.contains(id), let known = node.replica.entry(id: id),
                let instance = node.view[id]
            else { return nil }
            return EtcdWrite(
                id: id, known: known, instance: instance, lease: 1, isLeaseNew: true,
                origin: StoredOrigin(asOf: max(node.replica.seen, known.knownUpTo)))
        }.sorted { $0.id < $1.id }
        if !writes.isEmpty {
            nodes[number].restoration = Flight(
                writes: writes, history: node.replica.history, restoresAt: node.replica.seen)
        }
    }

    private mutating func execute(_ number: Int) {
        if Bool.random(using: &random) { execute(number, \.commit) } else { execute(number, \.restoration) }
    }

    private mutating func execute(_ number: Int, _ path: WritableKeyPath<Node, Flight?>) {
        guard var flight = nodes[number][keyPath: path], flight.result == nil else { return }
        let values = flight.writes.map { write in
            write.instance.map { [UInt8]("\($0.sequence)\(write.origin.asOf.map { " \($0)" } ?? "")".utf8) } ?? []
        }
        let (transaction, asked) = EtcdTransaction.of(
            flight.writes, values: values, keys: keys, ifNothingLeftAfter: flight.restoresAt)
        noteContest(flight)
        let (isKept, found) = etcd.commit(transaction)
        if isKept {
            for case let instance? in flight.writes.map(\.instance) {
                revisions[Int(instance.sequence)].append(etcd.revision)
            }
        } else {
            let changes = zip(asked, found).map { key, value in
                value.map { put(key, $0) } ?? .missing(key, revision: etcd.revision)
            }
            nodes[number].findings.append(.findings(changes, history: flight.history))
        }
        flight.result = (etcd.revision, isKept)
        nodes[number][keyPath: path] = flight
    }

    /// Handles a registration of an id that its node knows nothing about, while it exists under another name: the later
    /// of the two counts, and if that one leaves, the other may be seen again until it is swept. Also handles an orphan
    /// that is written again after it has come back and gone once more in the meantime.
    private mutating func noteContest(_ flight: Flight) {
        if let seen = flight.restoresAt {
            let events = etcd.events(after: seen).flatMap { $0 }
            // Never if somebody has deregistered or moved something: then it must not be kept.
            if !events.contains(where: { $0.key == keys.deregistered }) {
                contested.formUnion(events.compactMap { keys.instance($0.key)?.id })
            }
        }
        for write in flight.writes where write.known == nil {
            let isThere = etcd.keys.keys.contains { keys.instance($0)?.id == write.id }
            if isThere || nodes.contains(where: { $0.replica.entry(id: write.id) != nil }) {
                contested.insert(write.id)
            }
        }
    }

    /// The node learns the result of its write.
    private mutating func learn(_ number: Int) {
        if Bool.random(using: &random) { learn(number, \.commit) } else { learn(number, \.restoration) }
    }

    private mutating func learn(_ number: Int, _ path: WritableKeyPath<Node, Flight?>) {
        guard let flight = nodes[number][keyPath: path], let result = flight.result else { return }
        nodes[number][keyPath: path] = nil
        guard result.isKept else { return }
        let writes = flight.writes.map { EtcdKeptWrite(write: $0, revision: result.revision) }
        if flight.history == nodes[number].replica.history {
            for write in flight.writes where write.instance == nil {
                if let known = write.known {
                    noteDeletion(number, InstanceKey(name: known.name, id: write.id), result.revision)
                }
            }
        }
        take(number, .own(writes, history: flight.history))
    }

    private mutating func sweep(_ number: Int) {
        let strays = nodes[number].replica.strays.mapValues(\.revision)
        for (key, revision) in strays.sorted(by: { $0.value < $1.value }) {
            guard nodes[number].epoch == epoch else { return }
            _ = etcd.commit(
                EtcdTransaction(
                    conditions: [EtcdTransaction.Condition(key: keys.key(key), revision: revision)],
                    success: [
                        .delete(key: keys.key(key)), .put(key: keys.deregistered, value: [], lease: 0),
                    ]))
            nodes[number].replica.swept(key, at: revision)
        }
    }

    private mutating func doubt(_ number: Int) {
        let alive = nodes[number].alive
        for _ in 0..<2 {
            for id in nodes[number].replica.doubt(now: now, patience: .zero, isAlive: { alive.contains($0) }) {
                nodes[number].replica.forget(id)
                nodes[number].view[id] = nil
            }
        }
    }

    // MARK: What nodes hear

    /// Delivers the next messages of the watch.
    private mutating func hear(_ number: Int) {
        let node = nodes[number]
        guard node.epoch == epoch, node.everything == nil, node.watched < etcd.revision else { return }
        let count = Int.random(in: 1...3, using: &random)
        let revisions = etcd.events(after: node.watched).prefix(count)
        nodes[number].watched = node.watched + Int64(revisions.count)
        var changes: [EtcdChange] = []
        for (offset, events) in revisions.enumerated() {
            let revision = node.watched + Int64(offset) + 1
            let isDeliberate = events.contains { $0.key == keys.deregistered }
            for event in events {
                if event.key == keys.deregistered {
                    for key in keys.deregisteredInstances(event.value?.value ?? []) {
                        changes.append(.delete(key, revision: revision, isDeliberate: true))
                        noteDeletion(number, key, revision)
                    }
                }
                guard let key = keys.instance(event.key) else { continue }
                if let value = event.value {
                    changes.append(put(key, value))
                } else {
                    changes.append(.delete(key, revision: revision, isDeliberate: isDeliberate))
                    if isDeliberate { noteDeletion(number, key, revision) }
                }
            }
        }
        take(number, .changes(changes, revision: nodes[number].watched))
    }

    private mutating func hearAgain(_ number: Int) {
        guard nodes[number].epoch == epoch, let item = nodes[number].lastItem else { return }
        take(number, item)
    }

    private mutating func takeFindings(_ number: Int) {
        for item in nodes[number].findings { take(number, item) }
        nodes[number].findings = []
    }

    private mutating func readEverything(_ number: Int) {
        guard nodes[number].everything == nil else { return }
        let isWiped = nodes[number].epoch != epoch
        let values = etcd.keys.sorted { $0.key < $1.key }.compactMap { key, value in
            keys.instance(key).map { put($0, value) }
        }
        nodes[number].everything = .everything(values, revision: etcd.revision, isWiped: isWiped)
        nodes[number].watched = etcd.revision
        nodes[number].epoch = epoch
    }

    private mutating func takeEverything(_ number: Int) {
        guard let item = nodes[number].everything else { return }
        nodes[number].everything = nil
        nodes[number].lastItem = nil
        take(number, item)
        // Nobody knows what became of them meanwhile; those that are alive may be written again as they were known
        // here.
        contested.formUnion(nodes[number].replica.orphans.keys)
    }

    private func put(_ key: InstanceKey, _ value: EtcdModel.Value) -> EtcdChange {
        let numbers = numbers(value)
        return .put(
            key, numbers.first.map { instances[Int($0)] }, revision: value.revision, lease: value.lease,
            origin: StoredOrigin(asOf: numbers.dropFirst().first))
    }

    /// The number of an instance, and the revision as of which it was written again, if it was.
    private func numbers(_ value: EtcdModel.Value) -> [Int64] {
        String(decoding: value.value, as: UTF8.self).split(separator: " ").compactMap { Int64($0) }
    }

    private mutating func noteDeletion(_ number: Int, _ key: InstanceKey, _ revision: Int64) {
        nodes[number].deleted[key] = max(nodes[number].deleted[key] ?? 0, revision)
    }

    private mutating func take(_ number: Int, _ item: EtcdInbox.Item) {
        let history = nodes[number].replica.history
        let actions = nodes[number].replica.adopt(item)
        if case .changes = item { nodes[number].lastItem = item }
        for action in actions {
            switch action {
            case .put(let instance): nodes[number].view[instance.id] = instance
            case .remove(let id): nodes[number].view[id] = nil
            case .policy: break
            }
        }
        nodes[number].last = "\(item)"
        if nodes[number].replica.history != history {
            nodes[number].shown = [:]
            nodes[number].deleted = [:]
        } else if epoch == 0 {
            check(number)
        }
    }

    /// Checks that a node never returns to an outdated state.
    private mutating func check(_ number: Int) {
        let node = nodes[number]
        for (id, instance) in node.view {
            let written = revisions[Int(instance.sequence)]
            if let before = node.shown[id], let first = written.first, first < before, !contested.contains(id) {
                problems.append("node \(number) went back with \(id) from \(before) to \(first), by \(node.last)")
            }
            nodes[number].shown[id] = written.first ?? node.shown[id]
            let key = InstanceKey(name: instance.name, id: id)
            if let deleted = node.deleted[key], let first = written.first, first < deleted, !contested.contains(id) {
                problems.append("node \(number) shows \(key) of \(first), deleted at \(deleted), by \(node.last)")
            }
        }
    }

    // MARK: What else happens to etcd

    private mutating func endLease() {
        let leased = etcd.keys.filter { $0.value.lease != 0 }.keys.sorted()
        if let key = leased.randomElement(using: &random) { etcd.delete([key]) }
    }

    private mutating func writeNonsense() {
        let key = etcd.keys.keys.filter { keys.instance($0) != nil }.sorted().randomElement(using: &random)
        if let key { etcd.put(key, Array("nonsense".utf8)) }
    }

    private mutating func wipe() {
        etcd = EtcdModel()
        epoch += 1
    }

    // MARK: The end

    /// Delivers everything, and compares the nodes with etcd.
    private mutating func finish() {
        for _ in 0..<12 {
            for number in nodes.indices {
                execute(number, \.commit)
                execute(number, \.restoration)
                takeEverything(number)
                if nodes[number].epoch != epoch {
                    readEverything(number)
                    takeEverything(number)
                }
                if Bool.random(using: &random) { learn(number, \.commit) }
                while nodes[number].watched < etcd.revision { hear(number) }
                learn(number, \.commit)
                learn(number, \.restoration)
                takeFindings(number)
                sweep(number)
                restore(number)
            }
        }
        for _ in 0..<3 {
            for number in nodes.indices {
                while nodes[number].watched < etcd.revision { hear(number) }
                doubt(number)
                sweep(number)
            }
        }
        compare()
    }

    private mutating func compare() {
        for id in Self.ids {
            let there = etcd.keys.filter { keys.instance($0.key)?.id == id && $0.value.value != Array("nonsense".utf8) }
            if there.count > 1 { problems.append("\(id) has several keys: \(there)") }
            let value = there.first?.value
            let expected = value.flatMap { numbers($0).first }.map { instances[Int($0)] }
            for (number, node) in nodes.enumerated() {
                if node.view[id] != expected {
                    let shown = node.view[id].map { "\($0.name) of \(revisions[Int($0.sequence)])" } ?? "none"
                    problems.append(
                        "node \(number) shows \(id) as \(shown), etcd has \(value.map { "\($0)" } ?? "none")")
                }
                if let value, node.replica.entry(id: id)?.revision != value.revision {
                    problems.append("node \(number) takes \(id) for one of another revision than \(value.revision)")
                }
                if node.replica.orphans[id] != nil {
                    problems.append("node \(number) still has no key for \(id)")
                }
            }
        }
    }
}
