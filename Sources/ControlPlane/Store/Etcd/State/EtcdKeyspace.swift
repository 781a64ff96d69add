/// The keys that this project has in etcd.
struct EtcdKeyspace: Sendable, Equatable {
    /// The prefix of all of them, with a slash at the end.
    private let root: String
    /// The prefix of the keys of instances.
    private let services: String
    /// The prefix of the keys of services' policies.
    private let policies: String

    /// - Parameter prefix: `storage.etcd.prefix`.
    init(prefix: String) {
        var prefix = prefix
        while prefix.hasSuffix("/") { prefix.removeLast() }
        root = prefix + "/v1/"
        services = root + "services/"
        policies = root + "policies/"
    }

    /// All keys of the project, for the watch.
    var all: EtcdRange { EtcdRange(prefix: root) }

    /// The keys of all policies and all instances; a few of those between are auxiliary.
    var registered: EtcdRange {
        var range = EtcdRange(prefix: services)
        range.start = EtcdRange(prefix: policies).start
        return range
    }

    /// The key whose value tells one history of etcd from another, for instance after its data was wiped.
    var identity: String { root + "identity" }

    /// The key that is written with every requested deletion. If an instance is deleted without it, then, as far as
    /// etcd knows, only its heartbeats have stopped.
    var deregistered: String { root + "deregistered" }

    /// The key that is written to make a watch report something.
    var probe: String { root + "probe" }

    /// The key of a fence: see ``EtcdFences``.
    func fence(_ number: UInt64) -> String { "\(fences)\(number)" }

    /// The keys of all nodes.
    var nodes: EtcdRange { EtcdRange(prefix: nodesPrefix) }

    /// The key of a node, by its identity.
    func node(_ identity: String) -> String { nodesPrefix + identity }

    /// The identity of the node that a key belongs to; `nil`: no node has such a key.
    func node(_ key: [UInt8]) -> String? {
        let key = String(decoding: key, as: UTF8.self)
        guard key.hasPrefix(nodesPrefix) else { return nil }
        let identity = key.dropFirst(nodesPrefix.count)
        return EtcdMembership.isIdentity(identity) ? String(identity) : nil
    }

    /// Whether a key says nothing about instances.
    func isAuxiliary(_ key: String) -> Bool {
        key == identity || key == deregistered || key == probe || key.hasPrefix(fences) || key.hasPrefix(nodesPrefix)
    }

    /// The prefix of the keys of nodes.
    var nodesPrefix: String { root + "nodes/" }

    private var fences: String { root + "fences/" }

    /// The value of ``deregistered`` for instances that are deregistered while they have no key, one per line.
    static func deregisteredValue(_ keyless: [InstanceKey]) -> [UInt8] {
        Array(keyless.map { "\($0.name)/\($0.id)" }.joined(separator: "\n").utf8)
    }

    /// The instances named in a value of ``deregistered``.
    func deregisteredInstances(_ value: [UInt8]) -> [InstanceKey] {
        value.split(separator: UInt8(ascii: "\n")).compactMap {
            instance(services + String(decoding: $0, as: UTF8.self))
        }
    }

    /// The key of a service's policy.
    func policy(_ name: String) -> String { policies + name }

    /// The service to whose policy a key belongs.
    func service(ofPolicy key: String) -> String? {
        guard key.hasPrefix(policies) else { return nil }
        return try? PolicyFields.name(String(key.dropFirst(policies.count)))
    }

    /// The key of an instance.
    func key(_ key: InstanceKey) -> String { "\(services)\(key.name)/\(key.id)" }

    /// The instance that a key belongs to.
    func instance(_ key: String) -> InstanceKey? {
        guard key.hasPrefix(services) else { return nil }
        let parts = key.dropFirst(services.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, InstanceFields.isID(String(parts[1])) else { return nil }
        return InstanceKey(name: String(parts[0]), id: String(parts[1]))
    }
}

/// The two parts of an instance's key.
struct InstanceKey: Sendable, Hashable {
    var name: String
    var id: String
}
