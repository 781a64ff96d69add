import Logging
import Synchronization

/// Keeps instances in etcd, which any number of nodes share.
///
/// Each instance is a key on a lease of its ttl. This node has all of them in its ``view``, follows with a watch what
/// others write, and renews the leases of those whose heartbeats arrive here. While etcd is away, the last known state
/// stays.
///
/// Knowledge has four owners, none of which waits for another or for etcd: the ``mirror`` has the instances, the
/// ``session`` has what is known about etcd itself and the news from there, the ``upkeep`` has the work that is due,
/// and the ``membership`` has the other nodes. The tasks of this store ask them what to do, make the requests to etcd,
/// and report the results to them.
final class EtcdStore: Store {
    let client: any EtcdGateway
    let keys: EtcdKeyspace
    let logger: Logger
    let mirror = EtcdMirror()
    let session = Mutex(EtcdSession())
    let upkeep = Mutex(EtcdUpkeep())
    let membership: Mutex<EtcdMembership>
    /// What the other nodes know this process by.
    let nodeIdentity: String
    let malformed = MalformedValues()
    let fences: EtcdFences
    let snapshot: EtcdSnapshot?
    let clock: TimeSource
    let timers: any Timers
    /// This node's number, below 2,048, which makes its sequence numbers its own.
    private let node: UInt64

    /// - Throws: if the system lacks the resources for an HTTP client.
    convenience init(_ configuration: Configuration.Etcd, logger: Logger) throws(StoreUnavailable) {
        self.init(configuration, client: try EtcdClient(configuration), logger: logger)
    }

    /// - Parameters:
    ///   - client: makes the calls to etcd.
    ///   - identity: what the other nodes know this process by, 16 hexadecimal digits; each process has its own.
    ///   - clock: tells how long etcd has been silent.
    ///   - node: this node's number, below 2,048; as few nodes as possible should share one.
    ///   - snapshot: the file for the last known state, instead of the configured one.
    init(
        _ configuration: Configuration.Etcd, client: any EtcdGateway, clock: TimeSource = .system,
        timers: any Timers = EventLoopTimers.shared, node: UInt64 = .random(in: 0..<2048),
        identity: String = EtcdMembership.randomIdentity(), snapshot: (any WholeFile)? = nil, logger: Logger
    ) {
        self.client = client
        nodeIdentity = identity
        membership = Mutex(EtcdMembership(own: identity))
        keys = EtcdKeyspace(prefix: configuration.prefix)
        fences = EtcdFences(keys: keys, node: node)
        let path = configuration.snapshot
        let file = snapshot ?? (path.isEmpty ? nil : DiskFile(path: path))
        self.snapshot = file.map { EtcdSnapshot($0) }
        self.logger = logger
        self.clock = clock
        self.timers = timers
        self.node = node
    }

    var type: String { "etcd" }

    var isShared: Bool { true }

    var view: InstanceView { mirror.view }

    var state: StoreState {
        let now = clock.now().monotonic
        let session = session.withLock { session in
            (
                problem: session.health.complaint(now: now), lag: session.health.lagSeconds(now: now),
                revision: session.position.revision, orphanCount: session.orphanCount
            )
        }
        return StoreState(
            problem: session.problem,
            lagSeconds: session.lag,
            details: [
                StoreDetail(name: "endpoint", value: .text(client.endpoint)),
                StoreDetail(name: "revision", value: .number(Int(session.revision))),
                StoreDetail(name: "malformed_values", value: .number(malformed.count)),
                StoreDetail(name: "waiting_heartbeats", value: .number(upkeep.withLock { $0.heartbeatCount })),
                StoreDetail(name: "unconfirmed_instances", value: .number(session.orphanCount)),
                StoreDetail(name: "node", value: .text(nodeIdentity)),
                StoreDetail(name: "nodes", value: .number(membership.withLock { $0.nodes.all.count })),
            ]
        )
    }

    /// Made of the time of day, so that lists are in the order of registration across nodes, and of the node's number,
    /// so that no two nodes give the same number.
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

    func renew(id: String, now: Moment, by requester: Requester?) -> Renewal {
        let renewal = view.renew(id: id, now: now, by: requester)
        if case .renewed(let lease) = renewal, lease.deadline != nil { upkeep.withLock { $0.hear(id) } }
        return renewal
    }

    /// Finds nothing: leases decide what has expired, and the watch reports it.
    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        ExpiredInstances(instances: [], isComplete: true)
    }

    func adoptOutsideChanges(now: Moment) {
        let (news, isHolding) = session.withLock { ($0.takeNews(), $0.health.isHolding(now: now.monotonic)) }
        let progress = mirror.adopt(news, isHolding: isHolding, now: now)
        session.withLock { $0.adopted(progress) }
    }

    func stop() {
        membership.withLock { $0.end() }
        // Calls under way may be about to be answered.
        timers.once(after: .seconds(1)) { [client] in client.shutdown() }
    }

    nonisolated(nonsending) func close() async {
        await leaveNodes()
        if let snapshot { save(snapshot) }
        client.shutdown()
    }

    /// Notes that etcd has failed to do something.
    func note(_ error: EtcdError) {
        if session.withLock({ $0.health.failed(error.reason) }) {
            logger.error("etcd does not answer", metadata: ["error": "\(error.reason)"])
        }
    }

    /// Notes that etcd has failed to make a change. Its answering says nothing about whether it will make the next one.
    func noteUnchanged(_ error: EtcdError) {
        if error.kind == .unavailable { return note(error) }
        if session.withLock({ $0.health.refused(error.reason) }) {
            logger.error("etcd refuses changes", metadata: ["error": "\(error.reason)"])
        }
    }

    /// Notes that etcd has made a change.
    func noteChanged() {
        if session.withLock({ $0.health.changed() }) { logger.notice("etcd makes changes again") }
    }

    /// Notes that etcd has answered.
    func noteSuccess(now: Moment) {
        if let outage = session.withLock({ $0.health.succeeded(now: now.monotonic) }) {
            logger.notice("etcd answers again", metadata: ["after": "\(outage.milliseconds) ms"])
        }
    }
}
