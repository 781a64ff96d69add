/// Something that was read from the registry.
struct PublishedRead<Value: Sendable>: Sendable {
    var value: Value
    /// It has every change up to this one, and DNS answers with every change that it has.
    var index: UInt64
}

extension Registry {
    /// Reads something. If DNS does not answer with all of it yet, waits until it does.
    ///
    /// - Parameter name: the service that it is about; `nil`: it may be about any.
    nonisolated(nonsending) func reading<Value: Sendable>(
        ofService name: String? = nil, _ read: () async -> Value
    ) async -> PublishedRead<Value> {
        let index = publication.index
        let value = await read()
        let seen = store.view.withTable { $0.changeIndex(ofService: name) }
        if seen > publication.index { await publication.reach(seen) }
        return PublishedRead(value: value, index: index)
    }

    /// The instance with that id.
    nonisolated(nonsending) func publishedInstance(id: String) async -> PublishedRead<RegisteredInstance?> {
        let index = publication.index
        let (instance, seen) = store.view.withTable { table in
            let instance = table.instance(id: id)
            return (instance, table.changeIndex(ofService: instance?.instance.name))
        }
        if seen > publication.index { await publication.reach(seen) }
        return PublishedRead(value: instance, index: index)
    }

    /// A short part of the list of instances, for a walk over all of them.
    ///
    /// - Parameters:
    ///   - sequence: the place to begin after; `nil`: the beginning.
    ///   - limit: how many instances it may have.
    nonisolated(nonsending) func part(
        after sequence: UInt64?, limit: Int, filter: InstanceFilter
    ) async -> PublishedRead<InstancePage> {
        await reading(ofService: filter.name) {
            store.view.withTable {
                $0.page(
                    after: sequence, limit: limit, scanLimit: InstanceView.sliceLength, filter: filter)
            }
        }
    }
}
