/// A change of an instance's key.
enum EtcdChange: Sendable, Equatable {
    /// `instance` is `nil` if the value is no instance; `lease` is 0 if there is none.
    case put(InstanceKey, ServiceInstance?, revision: Int64, lease: Int64, origin: StoredOrigin = StoredOrigin())
    /// `isDeliberate`: somebody has deregistered the instance; otherwise, as far as is known, its lease has ended.
    case delete(InstanceKey, revision: Int64, isDeliberate: Bool)
    /// The key did not exist at a revision. The watch will tell when and why it was deleted.
    case missing(InstanceKey, revision: Int64)

    /// What the policy of a service is since a revision; `nil`: there is none, or, if the key is there, its value is
    /// none.
    case policy(String, ServicePolicy?, revision: Int64, isThere: Bool = false)

    /// The revision of the change, or at which it was found.
    var revision: Int64 {
        switch self {
        case .put(_, _, let revision, _, _), .delete(_, let revision, _), .missing(_, let revision),
            .policy(_, _, let revision, _):
            revision
        }
    }
}
