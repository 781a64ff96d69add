/// Where instances are kept.
///
/// A store has every instance in its ``view``, from which all reads are answered, and keeps them durably in its own
/// way. ``commit(_:time:)`` is called by one caller at a time (the registry's committer), reads and heartbeats by any.
protocol Store: Sendable {
    /// The name of its type, as in `storage.type`.
    var type: String { get }

    /// All instances in memory.
    var view: InstanceView { get }

    /// Fills the ``view`` with what is kept; every lease is a whole one from `now`.
    nonisolated(nonsending) func load(now: Moment) async throws

    /// Keeps a group of changes: all or, when it throws, none of them; durably, and then in the ``view``.
    ///
    /// - Returns: for each change the instance as it is then, or was before it left; `nil`: there is none.
    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async throws
        -> [RegisteredInstance?]

    /// Takes out instances whose deadline has come, from the ``view`` first: a heartbeat that was answered before is
    /// seen there, and one that comes after finds no instance.
    ///
    /// - Parameter limit: how many deadlines may be looked at.
    nonisolated(nonsending) func removeExpired(now: Moment, limit: Int) async throws -> ExpiredInstances

    /// Gives an instance a whole ttl again.
    ///
    /// - Returns: its lease, or `nil` when there is no such instance.
    func renew(id: String, now: Moment) -> Lease?

    /// Whether it can keep changes now, and how far behind it is.
    var state: StoreState { get }
}

extension Store {
    /// The instance with that id.
    func instance(id: String) -> RegisteredInstance? {
        view.withTable { $0.instance(id: id) }
    }

    /// The instances of a service in the order of their registration.
    func instances(ofService name: String) -> [ServiceInstance] {
        view.withTable { $0.instances(ofService: name) }
    }

    /// A page of the list of instances in the order of their registration.
    ///
    /// - Parameters:
    ///   - sequence: the place after which it begins; `nil`: the beginning.
    ///   - limit: how many instances it has, unless the list ends.
    func list(after sequence: UInt64?, limit: Int, filter: InstanceFilter) -> InstancePage {
        var page = InstancePage(instances: [], lastSequence: sequence, isLast: false)
        // In slices, so that a filter that few match does not lock others out.
        repeat {
            let part = view.withTable {
                $0.page(
                    after: page.lastSequence,
                    limit: limit - page.instances.count,
                    scanLimit: 2000,
                    filter: filter
                )
            }
            page.instances += part.instances
            page.lastSequence = part.lastSequence
            page.isLast = part.isLast
        } while !page.isLast && page.instances.count < limit
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

/// How a store is.
struct StoreState: Sendable, Equatable {
    /// Whether it keeps changes now.
    var isHealthy = true
    /// How old its view may be, in seconds.
    var lagSeconds = 0.0
}

/// Why a store did not keep a change.
struct StoreUnavailable: Error, Sendable {
    /// What is wrong, for the log.
    var reason: String
}
