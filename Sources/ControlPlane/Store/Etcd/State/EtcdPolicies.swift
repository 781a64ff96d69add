/// What is known about the policies in etcd. Pure; a part of ``EtcdReplica``.
///
/// A policy is replaced as a whole, so the newest revision of its key is what holds, from wherever it is known.
struct EtcdPolicies: Sendable {
    private struct Entry: Sendable {
        /// `nil`: there is none, or it is malformed.
        var policy: ServicePolicy?
        /// The revision of the last news about it; older news is outdated.
        var latest: Int64
        /// The revision of its key's last change; 0: etcd has no such key.
        var key: Int64
    }

    private var entries: [String: Entry] = [:]
    /// The services whose policies etcd has lost with all its data: to be written again.
    private(set) var lost: Set<String> = []
    /// The revision up to which the watch has reported everything: older news of a policy that is not known is of one
    /// that is gone since.
    private var told: Int64 = 0

    /// The revision of the key of a service's policy; 0: there is no such key.
    func keyRevision(of name: String) -> Int64 { entries[name]?.key ?? 0 }

    /// The policy of a service.
    func policy(of name: String) -> ServicePolicy? { entries[name]?.policy }

    /// Takes in what a policy is, or has become.
    ///
    /// - Parameter isThere: whether etcd has the key; its value may be malformed nevertheless.
    /// - Returns: whether that was news.
    mutating func adopt(_ policy: ServicePolicy?, of name: String, revision: Int64, isThere: Bool) -> Bool {
        guard revision > entries[name]?.latest ?? told else { return false }
        // One that is gone is remembered until the watch has told of that: it may report older values before.
        entries[name] = Entry(policy: policy, latest: revision, key: isThere ? revision : 0)
        lost.remove(name)
        return true
    }

    /// Notes that the watch has reported everything up to a revision.
    mutating func caughtUp(to revision: Int64) {
        told = max(told, revision)
        guard entries.contains(where: { $0.value.key == 0 && $0.value.latest <= revision }) else { return }
        entries = entries.filter { $0.value.key != 0 || $0.value.latest > revision || lost.contains($0.key) }
    }

    /// Notes that etcd has lost its data: what is known here is written to it again.
    mutating func lose() {
        told = 0
        entries = entries.filter { $0.value.policy != nil }.mapValues { Entry(policy: $0.policy, latest: 0, key: 0) }
        lost = Set(entries.keys)
    }

    /// Drops policies that were not among all those at a revision.
    ///
    /// - Returns: the services that have none any more.
    mutating func keep(_ present: Set<String>, at revision: Int64) -> [String] {
        let gone = entries.filter { !present.contains($0.key) && $0.value.latest <= revision && !lost.contains($0.key) }
        for name in gone.keys { entries[name] = nil }
        return gone.filter { $0.value.policy != nil }.keys.sorted()
    }

    /// Takes in policies from a snapshot, without their keys' revisions.
    mutating func remember(_ policies: [NamedPolicy]) {
        for named in policies { entries[named.name] = Entry(policy: named.policy, latest: 0, key: 0) }
    }
}
