/// The decision that an instance has to leave because a check has been critical for too long.
///
/// Other changes may be made between the decision and the removal. So it says what it is about: whoever was registered
/// since then, or has passed and failed again, stays.
struct Expulsion: Sendable, Equatable {
    /// The instance as it was known when that was decided.
    var instance: RegisteredInstance
    /// The check's name.
    var check: String
}

extension Expulsion {
    /// Whether `known` is still what was decided about: the same registration, whose check is critical since then.
    ///
    /// - Parameters:
    ///   - known: the instance with that id.
    ///   - unstored: results of its checks that the store could not keep, which may be older or newer than what it has.
    func concerns(_ known: ServiceInstance, unstored: [CheckRecord]) -> Bool {
        let decided = instance.instance
        guard known.id == decided.id, known.registeredAt == decided.registeredAt, known.hasSameChecks(as: decided),
            let check = known.checks.first(where: { $0.name == check })
        else { return false }
        var known = known
        if let held = unstored.first(where: { $0.name == check.name }) { _ = known.adopt(held) }
        let newest = known.result(of: check)
        return newest.status == .critical && newest.since == instance.result(of: check).since
    }
}
