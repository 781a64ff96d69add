extension EtcdReplica {
    /// What is known about an instance.
    struct Entry: Sendable, Equatable {
        var name: String
        /// The revision of its key's last change; 0: etcd has no such key.
        var revision: Int64
        /// 0: none.
        var lease: Int64
        /// The revision of the last news that changed or removed it; news that is not newer is outdated.
        var latest: Int64
        /// As of when it counts.
        var origin: StoredOrigin

        /// - Parameter latest: `nil`: the same as `revision`.
        init(
            name: String, revision: Int64, lease: Int64, latest: Int64? = nil, origin: StoredOrigin = StoredOrigin()
        ) {
            self.name = name
            self.revision = revision
            self.lease = lease
            self.latest = latest ?? revision
            self.origin = origin
        }

        /// The revision by which it is compared with another key of the same instance: the key with the highest rank is
        /// the instance, and of equal ones the one that was written last.
        var rank: Int64 { origin.rank(at: latest) }

        /// The revision up to which whoever wrote it knew everything.
        var knownUpTo: Int64 { origin.knownUpTo(latest) }

        /// Whether another key of the same instance supersedes it.
        func isBelow(_ revision: Int64, _ origin: StoredOrigin) -> Bool {
            (rank, latest) < (origin.rank(at: revision), revision)
        }

        /// Whether it was written again as of a time before an earlier value under the same key, which this node had
        /// not heard of.
        func isOlder(than revision: Int64, _ origin: StoredOrigin) -> Bool {
            revision < self.revision && revision <= latest && knownUpTo < origin.knownUpTo(revision)
        }

        /// Whether a value under the same key was written again by a node that did not know this one. Whoever writes
        /// this one again does so as of what it knows, or later.
        func isUnknown(_ origin: StoredOrigin) -> Bool { origin.asOf.map { $0 < knownUpTo } ?? false }
    }
}
