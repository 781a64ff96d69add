/// An etcd cluster: keys with revisions, leases that end, watches, compaction, members that stall, and a lost leader.
final class SimulatedEtcd {
    struct Value: Equatable {
        var octets: [UInt8]
        var revision: Int64
        var lease: Int64
    }

    struct Event {
        var key: String
        /// The new value; `nil`: the key was deleted.
        var value: Value?
    }

    struct Lease {
        var ttl: Int64
        /// When it ends. A timer for an earlier end has no effect.
        var end: Microseconds
    }

    /// A request that has reached a member and is not carried out yet.
    struct Waiting {
        var arrivedAt: Microseconds
        var action: (_ isTooLate: Bool) -> Void
    }

    static let memberCount = 3
    /// The time after which a member gives up on a request.
    private static let requestTime = Microseconds.seconds(7)

    unowned let world: World
    private(set) var revision: Int64 = 1
    private(set) var keys: [String: Value] = [:]
    /// The events of each revision from 2 on.
    private var log: [[Event]] = []
    private(set) var compacted: Int64 = 0
    /// The last revision of which some node was not told, and found only the result.
    private var skipped: Int64 = 0
    /// How many nodes have to read everything, and have not yet.
    private var gaps = 0
    private(set) var leases: [Int64: Lease] = [:]
    private var leaseCount: Int64 = 0
    private(set) var hasLeader = true
    private var stalled = [Bool](repeating: false, count: memberCount)
    private var waiting = [[Waiting]](repeating: [], count: memberCount)
    var watches: [WatchConnection] = []
    /// The node whose request is being carried out.
    var caller: Int?
    /// The node that has deleted each key that is gone; none: its lease has ended.
    private var removers: [String: Int] = [:]
    /// Called with everything that is written under a key.
    var onWrite: (_ key: String, _ octets: [UInt8]) -> Void = { _, _ in }
    /// Called with every key that is deleted.
    var onDelete: (_ key: String) -> Void = { _ in }

    init(_ world: World) { self.world = world }

    // MARK: Keys

    /// Whether the last deletion of a key was a node's own.
    func hasRemoved(_ key: String, node: Int) -> Bool { removers[key] == node }

    /// Makes the changes of one revision.
    ///
    /// - Parameter changes: `nil` deletes. Nobody is told of a key that was not there.
    func change(_ changes: [(key: String, value: [UInt8]?, lease: Int64)]) {
        var events: [Event] = []
        for (key, octets, lease) in changes {
            if let octets {
                let value = Value(octets: octets, revision: revision + 1, lease: lease)
                keys[key] = value
                events.append(Event(key: key, value: value))
            } else if keys.removeValue(forKey: key) != nil {
                events.append(Event(key: key, value: nil))
                removers[key] = caller
                onDelete(key)
            }
        }
        if events.isEmpty { return }
        revision += 1
        log.append(events)
        for event in events {
            if let value = event.value { onWrite(event.key, value.octets) }
        }
        for watch in watches { watch.tell() }
    }

    /// The events of an existing revision.
    func events(at revision: Int64) -> [Event] { log[Int(revision - 2)] }

    /// A node has to read everything: of what happens until it has, it finds only the result.
    func beginGap() { gaps += 1 }

    /// A node has read everything as of a revision.
    func endGap(asOf revision: Int64) {
        gaps -= 1
        skipped = max(skipped, revision)
    }

    /// The last revision of which some node may never be told.
    var forgotten: Int64 { gaps > 0 ? revision : max(compacted, skipped) }

    /// Forgets all events up to now.
    func compact() {
        compacted = revision
        world.note("etcd: compacted up to \(revision)")
    }

    // MARK: Leases

    func grant(ttl: Int64) -> Int64 {
        leaseCount += 1
        leases[leaseCount] = Lease(ttl: ttl, end: 0)
        renew(leaseCount)
        return leaseCount
    }

    /// - Returns: the lease's ttl; `nil` if there is no such lease.
    @discardableResult
    func renew(_ id: Int64) -> Int64? {
        guard let ttl = leases[id]?.ttl else { return nil }
        leases[id]?.end = world.now + .seconds(ttl)
        schedule(id)
        return ttl
    }

    /// - Returns: whether the lease existed.
    func revoke(_ id: Int64, _ reason: String) -> Bool {
        guard leases.removeValue(forKey: id) != nil else { return false }
        let lost = keys(on: id)
        if !lost.isEmpty { world.note("etcd: lease \(id) \(reason), with \(lost) at \(revision + 1)") }
        change(lost.map { ($0, nil, 0) })
        return true
    }

    func keys(on lease: Int64) -> [String] { keys.filter { $0.value.lease == lease }.keys.sorted() }

    private func schedule(_ id: Int64) {
        guard let end = leases[id]?.end else { return }
        world.after(end - world.now) { [unowned self] in
            // Only a leader ends leases.
            if hasLeader, leases[id]?.end == end { _ = revoke(id, "has ended") }
        }
    }

    // MARK: Members

    /// A request has reached a member, which calls `action` when it carries the request out.
    func arrive(at member: Int, _ action: @escaping (_ isTooLate: Bool) -> Void) {
        if hasLeader, !stalled[member] {
            action(false)
        } else {
            waiting[member].append(Waiting(arrivedAt: world.now, action: action))
        }
    }

    func isStalled(_ member: Int) -> Bool { stalled[member] }

    func stall(_ member: Int, _ isStalled: Bool) {
        world.note("etcd: member \(member) \(isStalled ? "stalls" : "goes on")")
        stalled[member] = isStalled
        goOn()
    }

    func loseLeader() {
        if !hasLeader { return }
        world.note("etcd: no leader")
        hasLeader = false
        world.after(world.random.within(.milliseconds(500) ... .seconds(3))) { [unowned self] in
            if hasLeader { return }
            for watch in watches { watch.fail("etcdserver: no leader") }
        }
    }

    /// A new leader gives every lease its whole ttl again, because it does not know how much was left.
    func findLeader() {
        if hasLeader { return }
        world.note("etcd: a leader")
        hasLeader = true
        for id in leases.keys.sorted() { renew(id) }
        goOn()
    }

    private func goOn() {
        for member in 0..<Self.memberCount where hasLeader && !stalled[member] {
            let requests = waiting[member]
            waiting[member] = []
            for request in requests { request.action(request.arrivedAt + Self.requestTime < world.now) }
        }
        for watch in watches { watch.tell() }
    }
}
