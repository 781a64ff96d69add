import Foundation
import Logging

@testable import ControlPlane

/// The stores over which the suite runs.
enum StoreKind: CaseIterable, Sendable {
    case memory
    case sqlite
    case etcd

    /// Whether it outlives a process.
    var isDurable: Bool { self != .memory }

    /// Whether this process decides which instances expire, rather than leases elsewhere.
    var expiresByItself: Bool { self != .etcd }
}

/// A place for a store's instances, which is removed with this value.
final class StoreFixture: Sendable {
    private let kind: StoreKind
    private let folder: URL
    private let etcd: EtcdMember?

    init(_ kind: StoreKind) throws {
        self.kind = kind
        folder = FileManager.default.temporaryDirectory.appending(path: "kong-discovery-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        etcd = kind == .etcd ? try EtcdMember() : nil
    }

    deinit {
        try? FileManager.default.removeItem(at: folder)
    }

    /// The etcd of the etcd store.
    var member: EtcdMember? { etcd }

    /// The file of the SQLite store.
    var databasePath: String { folder.appending(path: "instances.db").path }

    /// The store as after a start of the server: with what was kept there before, loaded.
    func open(_ time: TimeSource) async throws -> any Store {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store: any Store =
            switch kind {
            case .memory: MemoryStore()
            case .sqlite: try openSQLite(logger)
            case .etcd: try EtcdStore(etcdConfiguration, logger: logger)
            }
        try await store.load(time: time)
        return store
    }

    /// Tries several times: a child process that another test starts has all descriptors of this process, including
    /// locks, until it runs its program.
    private func openSQLite(_ logger: Logger) throws -> SQLiteStore {
        for _ in 0..<1000 {
            do throws(StoreUnavailable) {
                return try SQLiteStore(path: databasePath, logger: logger)
            } catch {
                guard error.reason.contains("another kong-discovery") else { throw error }
                usleep(1000)
            }
        }
        return try SQLiteStore(path: databasePath, logger: logger)
    }

    private var etcdConfiguration: Configuration.Etcd {
        var configuration = Configuration.Etcd()
        configuration.endpoints = etcd.map { [$0.endpoint] } ?? []
        return configuration
    }
}

extension Store {
    /// Commits changes, and returns the instances of those that are kept.
    func keeps(_ changes: [StoreChange], _ time: TimeSource) async -> [RegisteredInstance?] {
        await commit(changes, time: time).compactMap { result in
            if case .kept(let instance) = result { .some(instance) } else { nil }
        }
    }
}

/// A file with a text, which is removed with this value.
final class TemporaryFile: Sendable {
    let path: String

    init(_ text: String) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "kong-discovery-\(UUID())").path
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
