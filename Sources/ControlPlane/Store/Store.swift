/// Where instances are kept.
///
/// A store has every instance in its ``view``, from which all reads are answered, and keeps them durably in its own
/// way. What changes the ``view`` is called by one caller at a time (the registry's committer), reads and heartbeats by
/// any.
protocol Store: Sendable {
    /// The name of its type, as in `storage.type`.
    var type: String { get }

    /// All instances in memory.
    var view: InstanceView { get }

    /// Fills the ``view`` with what is kept; every lease is a whole one from then on.
    ///
    /// - Throws: ``StoreUnavailable`` when what is kept can't be read. A store of several nodes waits instead.
    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable)

    /// The place in every order for the first of new instances; those after it get the numbers that follow.
    func nextSequence(now: Moment) -> UInt64

    /// Keeps a group of changes: durably, and then in the ``view``.
    ///
    /// - Returns: what became of each change, in order.
    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult]

    /// Takes out instances whose deadline had come when the search was due, from the ``view`` first: a heartbeat that
    /// was answered before is seen there, and one that comes after finds no instance. After a pause of this process
    /// everybody gets time to be heard of again.
    ///
    /// - Parameter limit: how many deadlines may be looked at.
    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances

    /// Gives an instance a whole ttl again.
    ///
    /// - Returns: its lease, or `nil` when there is no such instance.
    func renew(id: String, now: Moment) -> Lease?

    /// Calls `notify` whenever ``adoptOutsideChanges(now:)`` has something to do, until the task is cancelled, and does
    /// what else is to be done all the time. A store that nobody else writes to returns at once.
    nonisolated(nonsending) func watch(time: TimeSource, notify: @escaping @Sendable () -> Void) async

    /// Brings into the ``view`` what others have changed.
    func adoptOutsideChanges(now: Moment)

    /// Is called when no more changes are taken: those under way must come to an end within two seconds.
    func stop()

    /// Lets go of what is kept, after the last change: no call comes after it.
    nonisolated(nonsending) func close() async

    /// Whether it can keep changes now, and how far behind it is.
    var state: StoreState { get }
}

extension Store {
    func nextSequence(now: Moment) -> UInt64 { view.withTable { $0.nextSequence } }

    nonisolated(nonsending) func watch(time: TimeSource, notify: @escaping @Sendable () -> Void) async {}

    func adoptOutsideChanges(now: Moment) {}

    func stop() {}

    nonisolated(nonsending) func close() async {}

    /// The instance with that id.
    func instance(id: String) -> RegisteredInstance? {
        view.withTable { $0.instance(id: id) }
    }

    /// Instances that are looked at for one page: with a filter that few match, it ends with fewer than it may have.
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

    /// The services and the number of their instances, in the order of their names.
    ///
    /// - Parameters:
    ///   - name: the one after which the list begins; `nil`: the beginning.
    ///   - limit: how many it has, unless it ends.
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

    /// A page of the list of instances in the order of their registration. Where few match it ends early.
    ///
    /// - Parameters:
    ///   - sequence: the place after which it begins; `nil`: the beginning.
    ///   - limit: how many instances it has at most.
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

    /// Gives an instance a whole ttl again.
    func renew(id: String, now: Moment) -> Lease? {
        view.withTable { $0.renew(id: id, now: now) }
    }
}

/// One change of what is kept.
enum StoreChange: Sendable, Equatable {
    /// A new instance, or the whole of a known one, with a whole ttl.
    case register(ServiceInstance)
    /// A known instance with other values; its lease stays.
    case update(ServiceInstance)
    /// An instance leaves.
    case deregister(id: String)
}

/// What became of a ``StoreChange``.
enum StoreResult: Sendable, Equatable {
    /// Kept: the instance as it is now, or was before it left; `nil`: there is none.
    case kept(RegisteredInstance?)
    /// Somebody else has changed the instance, as the ``Store/view`` shows now: to be decided anew.
    case conflict
    /// Not known to be kept.
    case unavailable(StoreUnavailable)
}

/// How a store is.
struct StoreState: Sendable, Equatable {
    /// Why it keeps no changes now, or hears of none that others make; `nil`: all is well.
    var problem: String?
    /// How old its view may be, in seconds.
    var lagSeconds = 0.0
    /// More about it, in the order to be shown.
    var details: [StoreDetail] = []

    /// Whether it keeps changes now, and hears of others'.
    var isHealthy: Bool { problem == nil }
}

/// Something about a store that is its own.
struct StoreDetail: Sendable, Equatable {
    enum Value: Sendable, Equatable {
        case number(Int)
        case text(String)
    }

    /// In the form of a JSON member's name.
    var name: String
    var value: Value
}

/// Why a store does not keep a change.
struct StoreUnavailable: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, in one line without secrets.
    var reason: String

    var description: String { reason }
}
