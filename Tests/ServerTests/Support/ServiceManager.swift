import Foundation
import Synchronization
import Testing

/// A service manager with a server that it starts, and with sockets that it keeps: `service_manager.py`.
final class ServiceManager: Sendable {
    let process: ChildProcess
    private let folder: TemporaryFolder
    private let endpoints: Mutex<(dns: Endpoint, rest: Endpoint)>
    private let startCount = Atomic(1)

    /// Starts both, and waits until the server answers.
    ///
    /// - Parameter isStored: whether the server opens its sockets and asks the manager to keep them. Otherwise the
    ///   manager opens them.
    init(isStored: Bool) throws {
        folder = try TemporaryFolder()
        let (dns, rest) = (try Endpoint.unused(), try Endpoint.unused())
        endpoints = Mutex((dns, rest))
        let file = try Self.configure(dns, rest, in: folder)
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "service_manager.py").path
        let sockets = isStored ? ["store"] : ["\(dns)", "\(rest)"]
        process = try ChildProcess(
            "/usr/bin/env", ["python3", script] + sockets + [ServerProcess.path, "serve", "--config", file],
            environment: ["PATH": "/usr/bin:/bin"], folder: folder.path)
        try waitForServer()
    }

    /// Where the server answers, or will answer.
    var dns: Endpoint { endpoints.withLock { $0.dns } }
    /// Where its REST API is.
    var rest: Endpoint { endpoints.withLock { $0.rest } }

    /// Makes the next server listen elsewhere.
    func move() throws {
        let (dns, rest) = (try Endpoint.unused(), try Endpoint.unused())
        _ = try Self.configure(dns, rest, in: folder)
        endpoints.withLock { $0 = (dns, rest) }
    }

    private static func configure(_ dns: Endpoint, _ rest: Endpoint, in folder: TemporaryFolder) throws -> String {
        try folder.write(
            "kong-discovery.yaml",
            """
            server: {listen: "\(rest)"}
            dns: {listen: ["\(dns)"], workers: 2}
            storage: {sqlite: {path: "\(folder.path)/kong-discovery.db"}}
            """)
    }

    /// Stops the server, whose sockets stay open.
    func stopServer() throws {
        process.signal(SIGUSR1)
        let count = startCount.load(ordering: .relaxed)
        let isStopped = try process.waitForErrors { log in
            log.components(separatedBy: "manager: stopped with 0").count > count
        }
        #expect(isStopped, "\(process.errors)")
    }

    /// Starts another server, and waits until it answers.
    func startServer() throws {
        startCount.add(1, ordering: .relaxed)
        process.signal(SIGUSR2)
        try waitForServer()
    }

    private func waitForServer() throws {
        let count = startCount.load(ordering: .relaxed)
        let isReady = try process.waitForErrors { log in
            log.split(separator: "\n").count { $0.hasSuffix(" ready") } == count
        }
        #expect(isReady, "\(process.errors)")
    }
}
