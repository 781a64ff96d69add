import Engine

/// Why DNS answers with an instance, or does not.
enum AnswerReason: String, Sendable, CaseIterable {
    /// It is in the answer.
    case answered
    /// It is in the answer although it has expired or a check says that it does not work: no instance is healthy.
    case lastKnown = "last_known"
    /// Its owner has taken it out of DNS.
    case draining
    /// A check says so.
    case critical
    /// Its address is of the other family.
    case otherFamily = "other_family"
    /// An instance with a lower priority is healthy.
    case worsePriority = "worse_priority"
    /// Its weight is 0, and one of its priority with a higher weight is healthy.
    case standsBy = "stands_by"
    /// It should be in the answer, but is not.
    case missing

    /// Whether it is in the answer.
    var isAnswered: Bool { self == .answered || self == .lastKnown }
}

extension ServiceRecords {
    /// Why each of these instances, which are those of a name, is in the answer for a type or not.
    ///
    /// - Parameter type: A, AAAA or SRV.
    static func reasons(
        for instances: [RegisteredInstance], type: RecordType, _ state: ZonePublisher.NameState
    ) -> [AnswerReason] {
        let lastKnown = Set(state.lastKnown?.members.map(\.registered.instance.sequence) ?? [])
        let published = instances.map { registered in
            lastKnown.contains(registered.instance.sequence)
                ? PublishedInstance(lastKnown: registered, state.policy)
                : PublishedInstance(registered, state.policy, isProtected: state.isProtected)
        }
        func isOfFamily(_ instance: PublishedInstance) -> Bool {
            type == .srv || instance.address.recordType == type
        }
        let candidates = published.filter { $0.isHealthy && isOfFamily($0) }
        let served = Set(self.served(candidates, state.policy).map(\.sequence))
        let best = candidates.map(\.priority).min()
        return zip(instances, published).map { registered, instance in
            if registered.instance.isDraining { return .draining }
            if !instance.isHealthy { return .critical }
            if !isOfFamily(instance) { return .otherFamily }
            if served.contains(instance.sequence) {
                return lastKnown.contains(instance.sequence) ? .lastKnown : .answered
            }
            return state.policy.isLowestPriorityOnly && instance.priority != best ? .worsePriority : .standsBy
        }
    }
}
