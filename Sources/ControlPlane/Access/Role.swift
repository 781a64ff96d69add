/// What the holder of a token may do. Each role includes those before it.
public enum Role: String, CaseIterable, Sendable, Comparable {
    /// Sees everything.
    case read
    /// Registers, changes and deregisters instances.
    case write
    /// Runs the server.
    case admin

    private var rank: Int {
        switch self {
        case .read: 0
        case .write: 1
        case .admin: 2
        }
    }

    /// Whether another role includes this one and more.
    public static func < (one: Role, other: Role) -> Bool { one.rank < other.rank }
}
