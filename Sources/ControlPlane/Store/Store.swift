/// Keeps the instances.
///
/// A store has every instance in its ``view``, from which all reads are answered, and keeps them durably in its own
/// way. Functions that change the ``view`` are called by one caller at a time, the registry's committer; reads and
/// heartbeats may come from any thread.
protocol Store: Sendable {
    /// Its name in `storage.type`.
    var type: String { get }

    /// All instances in memory.
    var view: InstanceView { get }

    /// Loads the stored instances into the ``view``; each begins with a whole ttl.
    ///
    /// - Throws: ``StoreUnavailable`` if the stored instances can't be read. A store shared by several nodes waits
    ///   instead.
    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable)

    /// The sequence number for the first of several new instances; the others get the numbers that follow.
    func nextSequence(now: Moment) -> UInt64

    /// Makes a group of changes durable, and then applies it to the ``view``.
    ///
    /// - Returns: the result of each change, in order.
    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult]

    /// Removes instances whose deadline had come when the search was due. They leave the ``view`` first: a heartbeat
    /// that was answered before is seen there, and a later one finds no instance. After a pause of this process,
    /// instances get time to be heard from again.
    ///
    /// - Parameter limit: how many deadlines may be looked at.
    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances

    /// Renews the lease of an instance for a whole ttl.
    ///
    /// - Parameter requester: who sends the heartbeat; `nil`: somebody who may change every service.
    func renew(id: String, now: Moment, by requester: Requester?) -> Renewal

    /// Does the store's background work until the task is cancelled, and calls `notify` whenever
    /// ``adoptOutsideChanges(now:)`` has something to do. A store that nobody else writes to returns at once.
    nonisolated(nonsending) func watch(time: TimeSource, notify: @escaping @Sendable () -> Void) async

    /// Applies changes that others have made to the ``view``.
    func adoptOutsideChanges(now: Moment)

    /// Whether several nodes may use it at the same time.
    var isShared: Bool { get }

    /// Tells other nodes that this one is there, until the task is cancelled or ``stop()`` is called, and calls `body`
    /// with the nodes that are, whenever that changes. The first call comes as soon as they are known, or as it is
    /// clear that they can't be found out now. Only one caller at a time does this. A store that is not shared returns
    /// at once and calls nothing.
    nonisolated(nonsending) func watchNodes(_ body: @escaping @Sendable (CheckerNodes) -> Void) async

    /// Is called when no more changes are accepted: those under way must end within two seconds.
    func stop()

    /// Releases the storage after the last change; nothing is called afterwards.
    nonisolated(nonsending) func close() async

    /// Whether it accepts changes now, and how far behind it is.
    var state: StoreState { get }
}

extension Store {
    func nextSequence(now: Moment) -> UInt64 { view.withTable { $0.nextSequence } }

    nonisolated(nonsending) func watch(time: TimeSource, notify: @escaping @Sendable () -> Void) async {}

    func adoptOutsideChanges(now: Moment) {}

    var isShared: Bool { false }

    nonisolated(nonsending) func watchNodes(_ body: @escaping @Sendable (CheckerNodes) -> Void) async {}

    func stop() {}

    nonisolated(nonsending) func close() async {}

    /// The instance with that id.
    func instance(id: String) -> RegisteredInstance? {
        view.withTable { $0.instance(id: id) }
    }

    /// How many instances are looked at for one page. If a filter matches few of them, the page ends early.
    static var maximumScan: Int { 10_240 }

    /// The instances of a service in the order of their registration.
    func instances(ofService name: String) -> [RegisteredInstance] {
        var all: [RegisteredInstance] = []
        var part: [RegisteredInstance]
        repeat {
            part = view.withTable {
                $0.instances(ofService: name, after: all.last?.instance.sequence, limit: InstanceView.sliceLength)
            }
            all += part
        } while part.count == InstanceView.sliceLength
        return all
    }

    /// All instances in the order of their registration.
    func allInstances() -> [ServiceInstance] {
        var all: [ServiceInstance] = []
        var place: UInt64?
        while true {
            let page = list(after: place, limit: Self.maximumScan, filter: InstanceFilter())
            all += page.instances.map(\.instance)
            place = page.lastSequence
            if page.isLast { return all }
        }
    }

    /// The services with the number of their instances, in the order of their names.
    ///
    /// - Parameters:
    ///   - name: the name to begin after; `nil`: the beginning.
    ///   - limit: how many to return at most.
    func serviceSummaries(after name: String?, limit: Int) -> [ServiceSummary] {
        var all: [ServiceSummary] = []
        var part: [ServiceSummary]
        var wanted: Int
        repeat {
            wanted = min(limit - all.count, InstanceView.sliceLength)
            part = view.withTable { $0.serviceSummaries(after: all.last?.name ?? name, limit: wanted) }
            all += part
        } while all.count < limit && part.count == wanted
        return all
    }

    /// A page of the list of instances, in the order of their registration. It ends early if few match.
    ///
    /// - Parameters:
    ///   - sequence: the place to begin after; `nil`: the beginning.
    ///   - limit: how many instances the page has at most.
    func list(after sequence: UInt64?, limit: Int, filter: InstanceFilter) -> InstancePage {
        var page = InstancePage(instances: [], lastSequence: sequence, isLast: false)
        var scanned = 0
        repeat {
            let part = view.withTable {
                $0.page(
                    after: page.lastSequence,
                    limit: limit - page.instances.count,
                    scanLimit: InstanceView.sliceLength,
                    filter: filter
                )
            }
            page.instances += part.instances
            page.lastSequence = part.lastSequence
            page.isLast = part.isLast
            scanned += InstanceView.sliceLength
        } while !page.isLast && page.instances.count < limit && scanned < Self.maximumScan
        return page
    }

    /// All policies, in the order of their services' names.
    func allPolicies() -> [NamedPolicy] {
        view.withTable { $0.policies }.map { NamedPolicy(name: $0.key, policy: $0.value) }.sorted { $0.name < $1.name }
    }

    func renew(id: String, now: Moment, by requester: Requester?) -> Renewal {
        view.renew(id: id, now: now, by: requester)
    }

    /// Renews the lease of an instance for a whole ttl.
    ///
    /// - Returns: the lease, or `nil` if there is no such instance.
    func renew(id: String, now: Moment) -> Lease? {
        if case .renewed(let lease) = renew(id: id, now: now, by: nil) { lease } else { nil }
    }
}

/// One change for a store.
enum StoreChange: Sendable, Equatable {
    /// Adds an instance, or replaces all of a known one; it gets a whole ttl.
    case register(ServiceInstance, because: ChangeReason = .request)
    /// Changes values of a known instance; its lease stays.
    case update(ServiceInstance, because: ChangeReason = .request)
    /// Removes an instance.
    case deregister(id: String, because: ChangeReason = .request)
    /// Replaces the policy of a service as a whole; `nil`: removes it.
    case policy(name: String, ServicePolicy?, because: ChangeReason = .request)

    /// Why, as the journal tells it.
    var reason: ChangeReason {
        switch self {
        case .register(_, let reason), .update(_, let reason), .deregister(_, let reason), .policy(_, _, let reason):
            reason
        }
    }
}

/// The result of a ``StoreChange``.
enum StoreResult: Sendable, Equatable {
    /// The change is durable. The instance is as it is now, or as it was before it left; `nil`: there is none.
    case kept(RegisteredInstance?)
    /// Another node has changed the instance; ``Store/view`` shows its change. The command must be planned again.
    case conflict
    /// It is unknown whether the change was kept.
    case unavailable(StoreUnavailable)
}

/// The result of a heartbeat.
enum Renewal: Sendable, Equatable {
    /// The lease is a whole ttl again.
    case renewed(Lease)
    /// There is no such instance.
    case unknown
    /// The instance belongs to a service that the sender may not change.
    case denied(Denial)
}

/// The state of a store.
struct StoreState: Sendable, Equatable {
    /// Why it accepts no changes now, or learns of none by other nodes; `nil`: all is well.
    var problem: String?
    /// How old its view may be, in seconds.
    var lagSeconds = 0.0
    /// More about it, in the order of display.
    var details: [StoreDetail] = []

    /// Whether it accepts changes now, and learns of those by other nodes.
    var isHealthy: Bool { problem == nil }
}

/// A detail that only one kind of store has.
struct StoreDetail: Sendable, Equatable {
    enum Value: Sendable, Equatable {
        case number(Int)
        case text(String)
    }

    /// Has the form of a JSON member's name.
    var name: String
    var value: Value
}

/// Why a store does not keep a change.
struct StoreUnavailable: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in one line without secrets.
    var reason: String

    var description: String { reason }
}
