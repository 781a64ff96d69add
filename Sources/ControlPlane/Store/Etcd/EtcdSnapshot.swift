import Synchronization

/// The last known state in a file, for starts without etcd: a line about the whole, then one line per
/// instance, then one per policy.
final class EtcdSnapshot: Sendable {
    /// The contents of the file.
    struct Contents: Sendable {
        /// The position in etcd's history; the revision is 0 if it is unknown.
        var position: EtcdPosition
        /// When that was the present state.
        var savedAt: WallTime
        var instances: [ServiceInstance]
        var policies: [NamedPolicy] = []
    }

    private static let version = 1

    private let file: any WholeFile
    private let saved = Mutex<EtcdPosition?>(nil)
    private let problem = Mutex<StoreUnavailable?>(nil)

    init(_ file: any WholeFile) {
        self.file = file
    }

    /// Writes the file, completely or not at all, unless the last one has the same position.
    ///
    /// - Parameters:
    ///   - position: the revision up to which the instances are complete; some may be newer.
    ///   - savedAt: when that was the present state.
    ///   - registered: all instances and policies.
    func save(
        _ position: EtcdPosition, savedAt: WallTime,
        registered: () -> (instances: [ServiceInstance], policies: [NamedPolicy])
    ) throws(StoreUnavailable) {
        guard let identity = position.identity, saved.withLock({ $0 != position }) else { return }
        let (instances, policies) = registered()
        var head = JSONWriter()
        head.beginObject()
        head.member("version")
        head.integer(Self.version)
        head.member("identity")
        head.string(identity)
        head.member("revision")
        head.integer(position.revision)
        head.member("saved_at_milliseconds")
        head.integer(max(0, savedAt.millisecondsSince1970))
        head.member("instances")
        head.integer(instances.count)
        head.member("policies")
        head.integer(policies.count)
        head.endObject()
        var octets = head.octets
        octets.append(UInt8(ascii: "\n"))
        for instance in instances {
            octets += StoredInstance.encode(instance)
            octets.append(UInt8(ascii: "\n"))
        }
        for named in policies {
            octets += StoredPolicy.encode(named)
            octets.append(UInt8(ascii: "\n"))
        }
        try file.replace(with: octets)
        saved.withLock { $0 = position }
    }

    /// Notes the result of writing the file.
    ///
    /// - Returns: whether that is news.
    func note(_ problem: StoreUnavailable?) -> Bool {
        self.problem.withLock { known in
            defer { known = problem }
            return known != problem
        }
    }

    /// Reads the file.
    ///
    /// - Returns: `nil` if there is none.
    func load() throws(StoreUnavailable) -> Contents? {
        guard let octets = try file.read() else { return nil }
        do throws(MalformedInstance) {
            return try Self.contents(octets)
        } catch {
            throw StoreUnavailable(reason: "\(file.path): \(error.reason)")
        }
    }

    private static func contents(_ octets: [UInt8]) throws(MalformedInstance) -> Contents {
        var lines = octets.split(separator: UInt8(ascii: "\n"))[...]
        guard let head = lines.popFirst(), case .object(let members)? = try? JSONParser.parse(Array(head)) else {
            throw MalformedInstance(reason: "the first line is not that of a snapshot")
        }
        var version: Int?
        var position = EtcdPosition()
        var savedAt: WallTime?
        // Files of earlier versions have none of these.
        var count: Int?
        var policyCount = 0
        for member in members {
            switch (member.name, member.value) {
            case ("version", .integer(let value)): version = value
            case ("identity", .string(let value)): position.identity = value
            case ("revision", .integer(let value)):
                position.revision = min(max(0, Int64(value)), EtcdResponse.maximumRevision)
            case ("saved_at_milliseconds", .integer(let value)): savedAt = WallTime(checking: Int64(value))
            case ("instances", .integer(let value)): count = value
            case ("policies", .integer(let value)): policyCount = value
            default: continue
            }
        }
        guard version == Self.version, position.identity != nil, let savedAt else {
            throw MalformedInstance(reason: "not a snapshot of version \(Self.version), or its first line is damaged")
        }
        let instanceCount = lines.count - max(policyCount, 0)
        guard instanceCount >= 0, policyCount >= 0, count ?? instanceCount == instanceCount else {
            throw MalformedInstance(reason: "it has \(instanceCount) instances instead of \(count ?? 0)")
        }
        var policies: [NamedPolicy] = []
        for line in lines.suffix(policyCount) {
            do throws(InvalidFields) {
                policies.append(try StoredPolicy.decode(Array(line)))
            } catch {
                throw MalformedInstance(reason: "the policy \(policies.count + 1) is damaged: \(error)")
            }
        }
        lines = lines.dropLast(policyCount)
        var instances: [ServiceInstance] = []
        instances.reserveCapacity(lines.count)
        for line in lines {
            do throws(MalformedInstance) {
                instances.append(try StoredInstance.decode(Array(line)))
            } catch {
                throw MalformedInstance(reason: "the instance \(instances.count + 1) is damaged: \(error.reason)")
            }
        }
        return Contents(position: position, savedAt: savedAt, instances: instances, policies: policies)
    }
}
