import Foundation
import Synchronization

@testable import ControlPlane

/// A real etcd with one member and data of its own, for the duration of a test.
final class EtcdMember: Sendable {
    /// The URL at which it answers.
    let endpoint: String
    private let process: Mutex<Process>
    private let arguments: [String]
    private let folder: URL

    /// Starts it; clients have to wait until it answers.
    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "kong-discovery-etcd-\(UUID())")
        endpoint = "http://127.0.0.1:\(try Self.freePort())"
        let peer = "http://127.0.0.1:\(try Self.freePort())"
        arguments = [
            "--pdeathsig", "KILL", "/usr/bin/etcd", "--data-dir", folder.path, "--listen-client-urls", endpoint,
            "--advertise-client-urls", endpoint,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=\(peer)",
        ]
        process = Mutex(Self.process(arguments))
        try process.withLock { try Self.start($0) }
    }

    private static func process(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/setpriv")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        return process
    }

    /// Kills it. Its data stays.
    func stop() {
        process.withLock { process in
            // SIGTERM may be blocked in a child process of a test.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// Starts it again after ``stop()``.
    ///
    /// - Parameter isEmpty: whether it has lost its data.
    func start(isEmpty: Bool = false) throws {
        if isEmpty { try FileManager.default.removeItem(at: folder) }
        try process.withLock { process in
            process = Self.process(arguments)
            try Self.start(process)
        }
    }

    /// Starts it on a thread that never ends, because etcd ends with that thread (PR_SET_PDEATHSIG, prctl(2)): so it is
    /// not left behind if the tests die.
    private static func start(_ process: Process) throws {
        let result = Mutex<Result<Void, any Error>?>(nil)
        let isStarted = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let outcome = Result { try process.run() }
            result.withLock { $0 = outcome }
            isStarted.signal()
            while true { pause() }
        }
        isStarted.wait()
        try result.withLock { $0 }?.get()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// A port that is free at the moment.
    private static func freePort() throws -> Int {
        let socket = try ServerSocket()
        return socket.port
    }

    /// A listening socket, closed with the value.
    private final class ServerSocket {
        let port: Int
        private let descriptor: Int32

        init() throws {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            self.descriptor = descriptor
            var address = LoopbackAddress()
            guard address.bind(descriptor) else { throw CocoaError(.fileReadUnknown) }
            port = address.port
        }

        deinit { close(descriptor) }
    }
}
