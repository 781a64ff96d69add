import Synchronization

extension EtcdStore {
    /// How many policies are written again at a time.
    private static let restorationLength = 100

    /// Writes the policy of a service, `nil` for none, if nobody has changed it since it was read.
    nonisolated(nonsending) func commit(
        _ policy: ServicePolicy?, of name: String, because reason: ChangeReason = .request
    ) async -> StoreResult {
        mirror.beginPolicy(of: name, because: reason)
        defer { mirror.endDeparture() }
        let known = mirror.policyKey(of: name)
        do throws(EtcdError) {
            guard let revision = try await write(policy, of: name, known: known) else { return .conflict }
            guard mirror.settle(policy, of: name, at: revision, history: known.history, because: reason) else {
                return .unavailable(StoreUnavailable(reason: "etcd has lost its data meanwhile"))
            }
            return .kept(nil)
        } catch {
            noteUnchanged(error)
            return .unavailable(StoreUnavailable(reason: "etcd: \(error.reason)"))
        }
    }

    /// Writes policies again that etcd has lost with all its data.
    nonisolated(nonsending) func restorePolicies() async throws(EtcdError) {
        for (name, policy, history) in mirror.lostPolicies(limit: Self.restorationLength) {
            let known = EtcdMirror.PolicyKey(revision: 0, history: history)
            guard let revision = try await write(policy, of: name, known: known) else { continue }
            mirror.restored(policy, of: name, at: revision, history: history)
        }
    }

    /// - Returns: the revision at which it was written; `nil`: it is another one by now, which is in the inbox.
    nonisolated(nonsending) private func write(
        _ policy: ServicePolicy?, of name: String, known: EtcdMirror.PolicyKey
    ) async throws(EtcdError) -> Int64? {
        let key = keys.policy(name)
        var transaction = EtcdTransaction()
        transaction.conditions = [EtcdTransaction.Condition(key: key, revision: known.revision)]
        let value = policy.map { StoredPolicy.encode(NamedPolicy(name: name, policy: $0)) }
        transaction.success = [value.map { .put(key: key, value: $0, lease: 0) } ?? .delete(key: key)]
        transaction.failure = [.get(key: key)]
        let response = try await makeOnce(transaction)
        if response.hasSucceeded {
            noteChanged()
            return response.revision
        }
        let found = response.responses.first?.values.first
        // It is as it was to be: the request has reached etcd twice, or somebody else has asked for the same.
        if let found, found.value == value { return found.revision }
        let finding: EtcdChange =
            found.map { change(policyOf: name, $0) } ?? .policy(name, nil, revision: response.revision)
        session.withLock { $0.learn(.findings([finding], history: known.history)) }
        return nil
    }

    /// The change that a value under the key of a service's policy stands for.
    func change(policyOf name: String, _ value: EtcdKeyValue) -> EtcdChange {
        let key = keys.policy(name)
        var policy: ServicePolicy?
        do throws(InvalidFields) {
            let named = try StoredPolicy.decode(value.value)
            guard named.name == name else {
                throw InvalidFields(errors: [FieldError(field: "name", message: "is that of another service")])
            }
            policy = named.policy
            malformed.remove(key)
        } catch {
            skip(key, "no policy: \(error)")
        }
        return .policy(name, policy, revision: value.revision, isThere: true)
    }
}

extension StoreChange {
    /// Whether it changes a policy, and no instance.
    var isPolicy: Bool {
        if case .policy = self { true } else { false }
    }
}
