import Foundation
import Logging

@testable import ControlPlane

/// The stores that the suite is run over.
enum StoreKind: CaseIterable, Sendable {
    case memory
    case sqlite
    case etcd

    /// Whether it outlives a process.
    var isDurable: Bool { self != .memory }

    /// Whether this process decides who has expired, and not a lease elsewhere.
    var expiresByItself: Bool { self != .etcd }
}

/// A place where a store keeps instances, which is gone with this value.
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

    /// The store as after a start of the server: with what was kept there before, loaded.
    func open(_ time: TimeSource) async throws -> any Store {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store: any Store =
            switch kind {
            case .memory: MemoryStore()
            case .sqlite: try SQLiteStore(path: folder.appending(path: "instances.db").path, logger: logger)
            case .etcd: try EtcdStore(etcdConfiguration, logger: logger)
            }
        try await store.load(time: time)
        return store
    }

    private var etcdConfiguration: Configuration.Etcd {
        var configuration = Configuration.Etcd()
        configuration.endpoints = etcd.map { [$0.endpoint] } ?? []
        return configuration
    }
}

extension Store {
    /// Commits changes, and returns what they have left of those that are kept.
    func keeps(_ changes: [StoreChange], _ time: TimeSource) async -> [RegisteredInstance?] {
        await commit(changes, time: time).compactMap { result in
            if case .kept(let instance) = result { .some(instance) } else { nil }
        }
    }
}
