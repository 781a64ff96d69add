import Foundation
import Synchronization

/// The last known state in a file, for a start while etcd is away: a line about it all, then a line for each instance.
final class EtcdSnapshot: Sendable {
    /// What the file says.
    struct Contents: Sendable {
        var identity: String
        /// When that was the state.
        var savedAt: WallTime
        var instances: [ServiceInstance]
    }

    private static let version = 1

    let path: String
    private let saved = Mutex<EtcdPosition?>(nil)

    init(path: String) {
        self.path = FileReason.absolute(path)
    }

    /// Writes the file, unless the last one was as of the same revision; whole or not at all.
    func save(
        identity: String, revision: Int64, ageSeconds: Double, instances: () -> [ServiceInstance]
    ) throws {
        let position = EtcdPosition(identity: identity, revision: revision)
        if saved.withLock({ $0 == position }) { return }
        var head = JSONWriter()
        head.beginObject()
        head.member("version")
        head.integer(Self.version)
        head.member("identity")
        head.string(identity)
        head.member("saved_at_milliseconds")
        head.integer(max(0, WallTime.now.millisecondsSince1970 - (Int64(exactly: (ageSeconds * 1000).rounded()) ?? 0)))
        head.endObject()
        var octets = head.octets
        octets.append(UInt8(ascii: "\n"))
        for instance in instances() {
            octets += StoredInstance.encode(instance)
            octets.append(UInt8(ascii: "\n"))
        }
        let url = URL(filePath: path)
        let folder = url.deletingLastPathComponent().path
        if let reason = FileReason.makeFolder(folder) {
            throw StoreUnavailable(reason: "can't create the folder \(folder): \(reason)")
        }
        try Data(octets).write(to: url, options: .atomic)
        saved.withLock { $0 = position }
    }

    /// Reads the file.
    ///
    /// - Returns: `nil`: there is none.
    func load() throws -> Contents? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        var lines = try Array(Data(contentsOf: URL(filePath: path))).split(separator: UInt8(ascii: "\n"))[...]
        guard let head = lines.popFirst(), case .object(let members) = try JSONParser.parse(Array(head)) else {
            throw MalformedInstance(reason: "the first line is not that of a snapshot")
        }
        var version: Int?
        var identity: String?
        var savedAt: WallTime?
        for member in members {
            switch (member.name, member.value) {
            case ("version", .integer(let value)): version = value
            case ("identity", .string(let value)): identity = value
            case ("saved_at_milliseconds", .integer(let value)):
                savedAt = WallTime(checking: Int64(value))
            default: continue
            }
        }
        guard version == Self.version, let identity, let savedAt else {
            throw MalformedInstance(reason: "not a snapshot of version \(Self.version), or its first line is damaged")
        }
        return Contents(
            identity: identity,
            savedAt: savedAt,
            instances: try lines.map { try StoredInstance.decode(Array($0)) }
        )
    }
}
