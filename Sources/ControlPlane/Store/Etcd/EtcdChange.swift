/// What happens to the key of an instance.
enum EtcdChange: Sendable, Equatable {
    /// `instance` is `nil` when the value is none; `lease` is 0 when there is none; `asOf`: see ``EtcdWrite/asOf``.
    case put(InstanceKey, ServiceInstance?, revision: Int64, lease: Int64, asOf: Int64? = nil)
    /// `isDeliberate`: somebody has deregistered it; otherwise its lease has ended, as far as is known.
    case delete(InstanceKey, revision: Int64, isDeliberate: Bool)
    /// There was no such key at a revision: when and why it went, the watch tells.
    case missing(InstanceKey, revision: Int64)

    /// The revision as of which it is so.
    var revision: Int64 {
        switch self {
        case .put(_, _, let revision, _, _), .delete(_, let revision, _), .missing(_, let revision): revision
        }
    }
}
