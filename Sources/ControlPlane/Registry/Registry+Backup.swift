/// The registry as it was at one moment, for one who reads all of it and may take long.
final class PastRegistry: Sendable {
    private let view: InstanceTable.PastView
    private let store: any Store

    /// - Returns: `nil` if too many read at once.
    fileprivate init?(_ store: any Store) {
        guard let view = store.view.withTable({ $0.openPastView() }) else { return nil }
        self.view = view
        self.store = store
    }

    deinit {
        store.view.withTable { [id = view.id] in $0.closePastView(id) }
    }

    /// The index of the last change that it has.
    var index: UInt64 { view.index }

    /// How many instances it has.
    var instanceCount: Int { view.count }

    /// Its policies, in the order of their services' names.
    var policies: [NamedPolicy] {
        view.policies.map { NamedPolicy(name: $0.key, policy: $0.value) }.sorted { $0.name < $1.name }
    }

    /// Its next instances, in the order of their registration, with what their checks have found.
    ///
    /// - Returns: `nil` if too much has changed since that moment.
    func next() -> (instances: [ServiceInstance], isLast: Bool)? {
        let part = store.view.withTable { [id = view.id] in
            $0.readPastView(id, limit: InstanceView.sliceLength)
        }
        return part.map { part in (part.instances.map(\.withAllResults), part.isLast) }
    }
}

extension Registry {
    /// The registry as it is now, when DNS answers with it. It costs something as long as somebody has it.
    ///
    /// - Returns: `nil` if too many read at once.
    nonisolated(nonsending) func past() async -> PastRegistry? {
        guard let past = PastRegistry(store) else { return nil }
        await publication.reach(past.index)
        return past
    }

    /// Whether it has neither instances nor policies.
    var isEmpty: Bool { store.view.withTable { $0.count == 0 && $0.policies.isEmpty } }

    /// Whether an instance of a backup is there as it was.
    func has(_ restored: ServiceInstance) -> Bool {
        guard let known = store.instance(id: restored.id)?.instance else { return false }
        var restored = restored
        restored.sequence = known.sequence
        return known == restored
    }
}

extension RegisteredInstance {
    /// The instance with those results of its checks, too, that are not stored yet.
    fileprivate var withAllResults: ServiceInstance {
        if health.unstored.isEmpty { return instance }
        var instance = instance
        instance.results = instance.checks.compactMap { check in
            let result = result(of: check)
            return result.checkedAt == nil && !instance.results.contains(result) ? nil : result
        }
        return instance
    }
}
