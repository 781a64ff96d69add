/// The keys that this project has in etcd.
struct EtcdKeyspace: Sendable, Equatable {
    /// The start of all of them, with a slash at the end.
    private let root: String
    /// The start of the keys of instances.
    private let services: String

    /// - Parameter prefix: `storage.etcd.prefix`.
    init(prefix: String) {
        var prefix = prefix
        while prefix.hasSuffix("/") { prefix.removeLast() }
        root = prefix + "/v1/"
        services = root + "services/"
    }

    /// All keys of the project, for watching.
    var all: EtcdRange { EtcdRange(prefix: root) }

    /// The keys of all instances.
    var instances: EtcdRange { EtcdRange(prefix: services) }

    /// Whose value tells one history of etcd from another, as after its data was wiped.
    var identity: String { root + "identity" }

    /// Written with every deletion that somebody asked for: instances that are deleted without it have only been
    /// without a heartbeat, as far as etcd knows.
    var deregistered: String { root + "deregistered" }

    /// Written so that there is something that a watch must tell of.
    var probe: String { root + "probe" }

    /// A key that transactions take turns at.
    func fence(_ number: UInt64) -> String { "\(fences)\(number)" }

    /// Whether a key is one of those that say nothing about instances.
    func isAuxiliary(_ key: String) -> Bool {
        key == identity || key == deregistered || key == probe || key.hasPrefix(fences)
    }

    private var fences: String { root + "fences/" }

    /// The value of ``deregistered`` for instances that leave while they have no key, each in a line.
    static func deregisteredValue(_ keyless: [InstanceKey]) -> [UInt8] {
        Array(keyless.map { "\($0.name)/\($0.id)" }.joined(separator: "\n").utf8)
    }

    /// The instances that a value of ``deregistered`` names.
    func deregisteredInstances(_ value: [UInt8]) -> [InstanceKey] {
        value.split(separator: UInt8(ascii: "\n")).compactMap {
            instance(services + String(decoding: $0, as: UTF8.self))
        }
    }

    /// The key of an instance.
    func key(_ key: InstanceKey) -> String { "\(services)\(key.name)/\(key.id)" }

    /// The instance that a key is of.
    func instance(_ key: String) -> InstanceKey? {
        guard key.hasPrefix(services) else { return nil }
        let parts = key.dropFirst(services.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, InstanceFields.isID(String(parts[1])) else { return nil }
        return InstanceKey(name: String(parts[0]), id: String(parts[1]))
    }
}

/// What makes the key of an instance.
struct InstanceKey: Sendable, Hashable {
    var name: String
    var id: String
}

/// Keys from the first, which is in it, to the end, which is not.
struct EtcdRange: Sendable, Equatable {
    var start: [UInt8]
    var end: [UInt8]

    /// All keys that begin with `prefix`, which ends with an octet below 255.
    init(prefix: String) {
        start = Array(prefix.utf8)
        end = start
        if let last = end.popLast() { end.append(last &+ 1) }
    }

    /// The keys after `key`.
    mutating func skip(through key: [UInt8]) {
        start = key + [0]
    }
}
