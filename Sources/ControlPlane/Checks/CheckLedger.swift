/// Which instances are checked by this node, and what the checker has to be told about them. Pure.
struct CheckLedger: Sendable {
    /// What the checker is to be told, in this order.
    struct Orders: Sendable, Equatable {
        var removed: [String] = []
        var adopted: [CheckAssignment] = []
        var reports: [Report] = []
    }

    /// A result that somebody else has found or reported.
    struct Report: Sendable, Equatable {
        /// The instance's id.
        var id: String
        /// The check's name.
        var check: String
        var status: CheckStatus
        var output: String
    }

    /// All instances that have checks.
    private var instances: [String: RegisteredInstance] = [:]
    /// When those results were found that the checker has passed on itself, by instance and check.
    private var own: [String: [String: WallTime]] = [:]
    /// The numbers of the present assignments, by instance.
    private var numbers: [String: UInt64] = [:]
    private var lastNumber: UInt64 = 0
    /// The nodes that share the work; `nil`: this one alone does it.
    private(set) var nodes: CheckerNodes?

    /// The number of instances with checks, and how many of them are checked here.
    var counts: (all: Int, here: Int) { (instances.count, instances.keys.count(where: isOwn)) }

    /// Whether an instance is checked by this node.
    func isOwn(_ id: String) -> Bool { nodes?.isOwner(of: id) ?? true }

    /// Takes in the instances that are there at the start.
    mutating func begin(with known: [RegisteredInstance]) -> Orders {
        var orders = Orders()
        for instance in known { keep(instance, &orders) }
        return orders
    }

    /// Takes in changes of instances.
    mutating func note(_ changes: ArraySlice<InstanceChange>) -> Orders {
        var orders = Orders()
        for change in changes {
            switch (change.old, change.new) {
            case (let old?, let new?) where new.instance.hasSameChecks(as: old.instance):
                if new.instance.checks.isEmpty { continue }
                if new.instance.hasForgotten(old.instance) {
                    let id = new.instance.id
                    // The checker has statuses that are nobody else's, and would not tell of them again.
                    if isOwn(id) { orders.removed.append(id) }
                    orders.reports.removeAll { $0.id == id }
                    keep(new, &orders)
                } else {
                    renew(new, since: old, &orders)
                }
            case (let old, let new?):
                if new.instance.checks.isEmpty {
                    if old?.instance.checks.isEmpty == false { drop(new.instance.id, &orders) }
                } else {
                    keep(new, &orders)
                }
            case (let old?, nil):
                if !old.instance.checks.isEmpty { drop(old.instance.id, &orders) }
            case (nil, nil): continue
            }
        }
        // Those that came and went within these changes: what is removed is removed first.
        if !orders.removed.isEmpty { orders.adopted.removeAll { instances[$0.id] == nil } }
        return orders
    }

    /// Takes in which nodes there are.
    mutating func share(among nodes: CheckerNodes?) -> Orders {
        var orders = Orders()
        if nodes == self.nodes { return orders }
        let before = self.nodes
        self.nodes = nodes
        for (id, instance) in instances {
            let wasOwn = before?.isOwner(of: id) ?? true
            if isOwn(id), !wasOwn { assign(instance, &orders) }
            if wasOwn, !isOwn(id) {
                orders.removed.append(id)
                (own[id], numbers[id]) = (nil, nil)
            }
        }
        return orders
    }

    /// Notes a result that the checker passes on: when it comes back as a change it is no news.
    ///
    /// - Parameter assignment: the one that the result belongs to.
    /// - Returns: `false` if that is not the present one: it may be about another check, and must not be passed on.
    mutating func passOn(_ report: CheckReport, of id: String, assignment: UInt64) -> Bool {
        guard isPresent(assignment, of: id) else { return false }
        own[id, default: [:]][report.name] = report.time
        return true
    }

    /// What is to be removed, as it is known; `nil`: what the checker says is about an earlier assignment.
    func expulsion(for removal: CheckRemoval) -> Expulsion? {
        guard isPresent(removal.assignment, of: removal.id), let known = instances[removal.id] else { return nil }
        return Expulsion(instance: known, check: removal.check)
    }

    /// Whether an assignment of an instance is the last one.
    func isPresent(_ assignment: UInt64, of id: String) -> Bool { numbers[id] == assignment }

    private mutating func keep(_ known: RegisteredInstance, _ orders: inout Orders) {
        instances[known.instance.id] = known
        if isOwn(known.instance.id) { assign(known, &orders) }
    }

    /// Has the checker check an instance as it is now. Results that were passed on before, and that come back as a
    /// change only now, are news to it: they may be about other checks of the same names.
    private mutating func assign(_ known: RegisteredInstance, _ orders: inout Orders) {
        lastNumber += 1
        (own[known.instance.id], numbers[known.instance.id]) = (nil, lastNumber)
        var assignment = CheckAssignment(known)
        assignment.number = lastNumber
        orders.adopted.append(assignment)
    }

    private mutating func drop(_ id: String, _ orders: inout Orders) {
        instances[id] = nil
        (own[id], numbers[id]) = (nil, nil)
        if isOwn(id) { orders.removed.append(id) }
    }

    /// Tells the checker of results that came another way.
    private mutating func renew(_ known: RegisteredInstance, since old: RegisteredInstance, _ orders: inout Orders) {
        let instance = known.instance
        instances[instance.id] = known
        guard isOwn(instance.id) else { return }
        for record in instance.results where !old.instance.results.contains(record) {
            guard let time = record.checkedAt, time != own[instance.id]?[record.name] else { continue }
            orders.reports.append(
                Report(id: instance.id, check: record.name, status: record.status, output: record.output))
        }
    }
}

extension ServiceInstance {
    /// Whether its checks begin anew: it is another registration than `old`, whose end was not seen here, or comes from
    /// a node that has missed a result.
    fileprivate func hasForgotten(_ old: ServiceInstance) -> Bool {
        registeredAt != old.registeredAt
            || old.results.contains { known in !results.contains { $0.name == known.name } }
    }
}

extension CheckAssignment {
    /// The checks of an instance, with their known statuses: what could not be stored yet comes before what is.
    init(_ known: RegisteredInstance) {
        let instance = known.instance
        let statuses = (known.health.unstored + instance.results).map {
            ($0.name, KnownStatus(status: $0.status, since: $0.since, output: $0.output))
        }
        self.init(
            id: instance.id, address: instance.address, port: instance.port, checks: instance.checks,
            statuses: Dictionary(statuses) { first, _ in first })
    }
}
