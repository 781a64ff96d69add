import Foundation
import Logging
import Synchronization
import Testing

@testable import ControlPlane

/// A node with a scripted etcd.
struct ScriptedNode {
    struct NotInTime: Error { var description: String }

    let clock = RunningClock()
    let zone = TestZone()
    let store: EtcdStore
    let registry: Registry

    init(_ etcd: ScriptedEtcd, snapshot: String = "", brake: Double = 1, log: Note<[String]>? = nil) {
        var configuration = Configuration.Etcd()
        configuration.snapshot = snapshot
        let logger = Logger(label: "test") { _ in NotingLogHandler(note: log ?? Note([])) }
        store = EtcdStore(configuration, client: etcd, logger: logger)
        registry = Registry(
            store: store, publisher: ZonePublisher(sink: zone, policy: RecordPolicy()), limits: .init(),
            cleanupInterval: .milliseconds(200), massExpiryBrake: brake, time: clock.source, logger: logger)
    }

    /// The addresses of the service `orders`.
    var addresses: [String] { zone.addresses("orders") }

    /// Runs `body` while the node works.
    func running(_ body: (Registry) async throws -> Void) async throws {
        try await registry.running {
            try await waits("it watches") { store.session.withLock { $0.isWatching } }
            try await body(registry)
        }
    }

    /// Waits until a condition holds.
    func waits(_ what: String, within time: Duration = .seconds(300), _ isSo: () throws -> Bool) async throws {
        let deadline = ContinuousClock.now + time
        while !(try isSo()) {
            guard ContinuousClock.now < deadline else { throw NotInTime(description: what) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}

/// The machine's clock, which a test can put forward; the age of an answer matters here.
final class RunningClock: Sendable {
    private let ahead = Mutex(Duration.zero)

    var now: Moment { TimeSource.system.now().advanced(by: ahead.withLock { $0 }) }

    var source: TimeSource { TimeSource { self.now } }

    func advance(by duration: Duration) { ahead.withLock { $0 += duration } }
}

/// Collects messages for a test.
struct NotingLogHandler: LogHandler {
    let note: Note<[String]>
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        note.change { $0.append("\(event.message)") }
    }
}
