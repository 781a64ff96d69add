import Foundation
import Synchronization
import Testing

/// A service manager with a server that it starts, and sockets that it keeps: `service_manager.py`.
final class ServiceManager: Sendable {
    let process: ChildProcess
    let dns: Endpoint
    let rest: Endpoint
    private let folder: TemporaryFolder
    private let startCount = Atomic(1)

    /// Starts both, and waits until the server answers.
    ///
    /// - Parameter isStored: whether the server opens its sockets and asks for them to be kept; else they are opened for
    ///   it.
    init(isStored: Bool) throws {
        folder = try TemporaryFolder()
        dns = try Endpoint.unused()
        rest = try Endpoint.unused()
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "service_manager.py").path
        let sockets = isStored ? ["store"] : ["\(dns)", "\(rest)"]
        process = try ChildProcess(
            "/usr/bin/env", ["python3", script] + sockets + [ServerProcess.path, "serve"],
            environment: [
                "PATH": "/usr/bin:/bin", "KONG_DISCOVERY_DNS_LISTEN": "\(dns)",
                "KONG_DISCOVERY_SERVER_LISTEN": "\(rest)", "KONG_DISCOVERY_DNS_WORKERS": "2",
                "KONG_DISCOVERY_STORAGE_SQLITE_PATH": folder.path + "/kong-discovery.db",
            ],
            folder: folder.path)
        try waitForServer()
    }

    /// Stops the server; its sockets stay open.
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
