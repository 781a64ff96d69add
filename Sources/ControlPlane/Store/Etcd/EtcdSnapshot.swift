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

    /// Absolute.
    let path: String
    private let saved = Mutex<EtcdPosition?>(nil)
    private let problem = Mutex<StoreUnavailable?>(nil)

    init(path: String) {
        self.path = FileReason.absolute(path)
    }

    /// Writes the file, unless the last one was as of the same revision; whole or not at all.
    ///
    func save(
        identity: String, revision: Int64, ageSeconds: Double, instances: () -> [ServiceInstance]
    ) throws(StoreUnavailable) {
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
        do {
            try Data(octets).write(to: url, options: .atomic)
        } catch {
            throw StoreUnavailable(reason: "can't write \(path): \(FileReason.words(for: error))")
        }
        saved.withLock { $0 = position }
    }

    /// Takes note of how writing the file has gone.
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
    /// - Returns: `nil`: there is none.
    func load() throws(StoreUnavailable) -> Contents? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let octets: [UInt8]
        do {
            octets = Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw StoreUnavailable(reason: "can't read \(path): \(FileReason.words(for: error))")
        }
        return try Self.contents(octets, of: path)
    }

    private static func contents(_ octets: [UInt8], of path: String) throws(StoreUnavailable) -> Contents {
        var lines = octets.split(separator: UInt8(ascii: "\n"))[...]
        guard let head = lines.popFirst(), case .object(let members)? = try? JSONParser.parse(Array(head)) else {
            throw StoreUnavailable(reason: "\(path): the first line is not that of a snapshot")
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
            throw StoreUnavailable(
                reason: "\(path): not a snapshot of version \(Self.version), or its first line is damaged")
        }
        var instances: [ServiceInstance] = []
        instances.reserveCapacity(lines.count)
        for line in lines {
            do throws(MalformedInstance) {
                instances.append(try StoredInstance.decode(Array(line)))
            } catch {
                throw StoreUnavailable(reason: "\(path): the instance \(instances.count + 1) is damaged: \(error.reason)")
            }
        }
        return Contents(identity: identity, savedAt: savedAt, instances: instances)
    }
}
