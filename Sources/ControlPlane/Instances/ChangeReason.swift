/// Why something in the registry has changed.
enum ChangeReason: Sendable, Equatable {
    /// A request of a client to this node.
    case request
    /// A request to this node, by a client who is known.
    indirect case requested(by: Requester)
    /// The instance's time without a heartbeat is over.
    case expired
    /// A check, by its name, has seen another state, or for so long the same that the instance was removed.
    case check(String)
    /// A brake that keeps a service from being emptied, by its name, holds or has ended.
    case brake(String)
    /// Another node, or whoever else writes to the storage.
    case anotherNode
    /// It was found in the storage at the start.
    case loaded

    /// What it is, without who or which one. The raw values are its names in the API.
    enum Kind: String, CaseIterable, Sendable {
        case request, expired, check, brake, loaded
        case anotherNode = "another_node"
    }

    /// What it is.
    var kind: Kind {
        switch self {
        case .request, .requested: .request
        case .expired: .expired
        case .check: .check
        case .brake: .brake
        case .anotherNode: .anotherNode
        case .loaded: .loaded
        }
    }

    /// Its name in the API.
    var name: String { kind.rawValue }

    /// What exactly it was, such as a check's name.
    var detail: String? {
        switch self {
        case .check(let name), .brake(let name): name
        case .request, .requested, .expired, .anotherNode, .loaded: nil
        }
    }

    /// The reason of a change that somebody asks for; `nil`: it is not known who.
    init(_ requester: Requester?) { self = requester.map { .requested(by: $0) } ?? .request }
}
