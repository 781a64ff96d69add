import Logging
import Synchronization

/// Keeps instances in etcd, which any number of nodes share.
///
/// Each instance is a key on a lease of its ttl. This node has all of them in its ``view``, follows what others write
/// with a watch, and renews the leases of those whose heartbeats come here. While etcd is away everything stays as it
/// was known last.
final class EtcdStore: Store {
    /// How long an instance stays whose lease has ended: the node that its heartbeats go to may be late.
    private static let orphanPatience = Duration.milliseconds(300)

    let view = InstanceView()
    let client: any EtcdGateway
    let keys: EtcdKeyspace
    let logger: Logger
    let inbox = EtcdInbox()
    let replica = Mutex(EtcdReplica())
    let health = Mutex(EtcdHealth())
    /// Instances whose leases are to be renewed.
    let heartbeats = Mutex<Set<String>>([])
    /// Leases that nothing is on any more, or perhaps nothing.
    let spareLeases = Mutex<[SpareLease]>([])
    /// Held while the replica and the view are brought to the same, by who changes both or reads both.
    let agreement = Mutex<Void>(())
    let malformed = MalformedValues()
    let fences: EtcdFences
    /// Where in etcd's history this node is.
    let position = Mutex(EtcdPosition())
    let watching = Mutex(EtcdWatch())
    let snapshot: EtcdSnapshot?
    let clock: TimeSource
    let timers: any Timers
    /// Of 2,048 numbers the one that makes this node's places in the order its own.
    private let node: UInt64

    /// - Throws: when the system has not got what an HTTP client needs.
    convenience init(_ configuration: Configuration.Etcd, logger: Logger) throws(StoreUnavailable) {
        self.init(configuration, client: try EtcdClient(configuration), logger: logger)
    }

    /// - Parameters:
    ///   - client: the way to etcd.
    ///   - clock: what tells how long etcd has been silent.
    ///   - node: below 2,048; the fewer nodes have the same, the better.
    init(
        _ configuration: Configuration.Etcd, client: any EtcdGateway, clock: TimeSource = .system,
        timers: any Timers = EventLoopTimers.shared, node: UInt64 = .random(in: 0..<2048), logger: Logger
    ) {
        self.client = client
        keys = EtcdKeyspace(prefix: configuration.prefix)
        fences = EtcdFences(keys: keys, node: node)
        snapshot = configuration.snapshot.isEmpty ? nil : EtcdSnapshot(path: configuration.snapshot)
        self.logger = logger
        self.clock = clock
        self.timers = timers
        self.node = node
    }

    var type: String { "etcd" }

    var state: StoreState {
        let now = clock.now().monotonic
        let (problem, lag) = health.withLock { ($0.complaint(now: now), $0.lagSeconds(now: now)) }
        return StoreState(
            problem: problem,
            lagSeconds: lag,
            details: [
                StoreDetail(name: "endpoint", value: .text(client.endpoint)),
                StoreDetail(name: "revision", value: .number(Int(position.withLock { $0.revision }))),
                StoreDetail(name: "malformed_values", value: .number(malformed.count)),
                StoreDetail(name: "waiting_heartbeats", value: .number(heartbeats.withLock { $0.count })),
                StoreDetail(name: "unconfirmed_instances", value: .number(replica.withLock { $0.orphans.count })),
            ]
        )
    }

    /// The time of day, so that lists have the order of registration whatever node it came to, then the node, so that
    /// two of them do not give the same number.
    func nextSequence(now: Moment) -> UInt64 {
        let known = view.withTable { $0.nextSequence }
        let milliseconds = min(
            UInt64(clamping: now.wall.millisecondsSince1970), (InstanceTable.sequenceLimit - 1) >> 21)
        let own = milliseconds << 21 | node << 10
        if own >= known { return own }
        if known >> 10 & 2047 == node { return known }
        return (known >> 21 + 1) << 21 | node << 10
    }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {
        if await connect(time: time) { return }
        if let snapshot, restore(snapshot, time: time) { return }
        logger.notice("DNS stays silent until the registry has been read from etcd")
        let retries = Ticker(every: .milliseconds(500), on: timers)
        for await _ in retries.ticks {
            if await connect(time: time) { return }
        }
        throw StoreUnavailable(reason: "stopped while waiting for etcd")
    }

    func renew(id: String, now: Moment) -> Lease? {
        guard let lease = view.withTable({ $0.renew(id: id, now: now) }) else { return nil }
        if lease.deadline != nil { heartbeats.withLock { _ = $0.insert(id) } }
        return lease
    }

    /// Leases decide who has expired, and the watch tells.
    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        ExpiredInstances(instances: [], isComplete: true)
    }

    func adoptOutsideChanges(now: Moment) {
        agreement.withLock { _ in
            let history = replica.withLock { $0.history }
            for item in inbox.takeAll() {
                apply(replica.withLock { $0.adopt(item) }, now)
            }
            apply(replica.withLock { $0.takeLeaving() }, now)
            settleOrphans(now)
            let (seen, isNew) = replica.withLock { ($0.seen, $0.history != history) }
            health.withLock { $0.adopted(upTo: seen, isNewHistory: isNew) }
        }
    }

    func stop() {
        // What is under way may be about to be answered.
        timers.once(after: .seconds(1)) { [client] in client.shutdown() }
    }

    nonisolated(nonsending) func close() async {
        if let snapshot { save(snapshot) }
        client.shutdown()
    }

    /// Puts into the view what the replica says.
    private func apply(_ actions: [EtcdReplica.Action], _ now: Moment) {
        var rest = actions[...]
        while !rest.isEmpty {
            let slice = rest.prefix(256)
            rest = rest.dropFirst(256)
            view.withTable { table in
                for action in slice { Self.apply(action, to: &table, now) }
            }
        }
    }

    private static func apply(_ action: EtcdReplica.Action, to table: inout InstanceTable, _ now: Moment) {
        switch action {
        case .put(let instance):
            let known = table.instance(id: instance.id)
            // Whoever hears the heartbeats knows when it expires: here they did not come, or it was known before.
            let isHeardHere = known?.lease.deadline != nil && instance.ttlSeconds > 0
            table.put(
                instance,
                lease: isHeardHere ? nil : Lease(heardElsewhereWithTTLSeconds: instance.ttlSeconds, now: now))
        case .remove(let id):
            table.remove(id: id)
        }
    }

    /// Decides about instances whose leases have ended: who was heard of here lives, and is written again; the others
    /// go, after an outage later than otherwise.
    private func settleOrphans(_ now: Moment) {
        if health.withLock({ $0.isHolding(now: now.monotonic) }) { return }
        let gone = replica.withLock { replica in
            let gone = replica.doubt(now: now.monotonic, patience: Self.orphanPatience) { isAlive($0, now) }
            for id in gone { replica.forget(id) }
            return gone
        }
        apply(gone.map { .remove(id: $0) }, now)
    }

    /// Whether a heartbeat that came here keeps an instance alive.
    func isAlive(_ id: String, _ now: Moment) -> Bool {
        guard let deadline = instance(id: id)?.lease.deadline else { return false }
        return deadline > now.monotonic
    }

    /// etcd has failed to do something.
    func note(_ error: EtcdError) {
        if health.withLock({ $0.failed(error.reason) }) {
            logger.error("etcd does not answer", metadata: ["error": "\(error.reason)"])
        }
    }

    /// etcd has failed to make a change. That it answers says nothing about whether it makes the next.
    func noteUnchanged(_ error: EtcdError) {
        if error.kind == .unavailable { return note(error) }
        if health.withLock({ $0.refused(error.reason) }) {
            logger.error("etcd refuses changes", metadata: ["error": "\(error.reason)"])
        }
    }

    /// etcd has made a change.
    func noteChanged() {
        if health.withLock({ $0.changed() }) { logger.notice("etcd makes changes again") }
    }

    /// etcd has done something.
    func noteSuccess(now: Moment) {
        if let outage = health.withLock({ $0.succeeded(now: now.monotonic) }) {
            logger.notice("etcd answers again", metadata: ["after": "\(outage.milliseconds) ms"])
        }
    }
}

/// Where in etcd's history a node is.
struct EtcdPosition: Sendable, Equatable {
    /// The value of the key that tells one history from another; `nil`: not known yet.
    var identity: String?
    /// Up to where everything was seen.
    var revision: Int64 = 0
}

/// Keys under the prefix whose values are none of ours: counted, and logged once each.
final class MalformedValues: Sendable {
    /// Keys that are remembered; those beyond are neither counted nor logged.
    private static let maximumKeys = 65_536

    private let keys = Mutex<Set<String>>([])

    /// How many there are.
    var count: Int { keys.withLock { $0.count } }

    /// A key has such a value.
    ///
    /// - Returns: whether it is the first time.
    func add(_ key: String) -> Bool {
        keys.withLock { $0.count < Self.maximumKeys && $0.insert(key).inserted }
    }

    /// A key has none, or another value.
    func remove(_ key: String) {
        keys.withLock { if !$0.isEmpty { $0.remove(key) } }
    }
}
