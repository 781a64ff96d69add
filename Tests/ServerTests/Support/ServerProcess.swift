import Foundation
import Testing

/// The real program, run as a user runs it, in a folder of its own.
final class ServerProcess: Sendable {
    /// The path of the program, which is beside the tests.
    static let path: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: tests).deletingLastPathComponent().appending(path: "kong-discovery").path
    }()

    /// What the start waits for.
    enum Milestone: String {
        case ready = " ready"
        /// This is long before the server is ready, while it waits for its storage.
        case restListens = " REST API listens "
    }

    let process: ChildProcess
    /// The DNS endpoints from the log. While the server does not listen yet, they are where it will listen.
    let dns: [Endpoint]
    /// The endpoint of the REST API from the log.
    let rest: Endpoint

    /// Starts the server and waits until it listens.
    ///
    /// - Parameters:
    ///   - settings: configuration keys by path, passed in the environment. By default ports are free ones, storage is
    ///     memory, and a name whose last healthy instance has gone ends at once.
    ///   - file: the configuration file.
    ///   - folder: its working folder.
    ///   - descriptors: the soft and the hard limit of open files.
    init(
        _ settings: [String: String] = [:],
        file: String? = nil,
        folder: String = temporaryFolder,
        until milestone: Milestone = .ready,
        descriptors: (soft: Int, hard: Int)? = nil
    ) throws {
        process = try Self.start(
            ["serve"] + (file.map { ["--config", $0] } ?? []), settings, folder: folder, descriptors: descriptors)
        let isReached = try process.waitForErrors { log in
            log.split(separator: "\n").contains { line in
                milestone == .ready ? line.hasSuffix(milestone.rawValue) : line.contains(milestone.rawValue)
            }
        }
        let log = process.errors
        #expect(isReached, "the server did not start:\n\(log)")
        let listening = Self.endpoints(log, "DNS listens")
        dns = listening.isEmpty ? [settings["dns.listen"].flatMap { Endpoint($0) }].compactMap(\.self) : listening
        rest = try #require(Self.endpoints(log, "REST API listens").first)
    }

    /// Starts the program, whatever the result.
    static func start(
        _ arguments: [String],
        _ settings: [String: String] = [:],
        folder: String = temporaryFolder,
        descriptors: (soft: Int, hard: Int)? = nil
    ) throws -> ChildProcess {
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("KONG_DISCOVERY_") }
        let usual = [
            "dns.listen": "127.0.0.1:0", "server.listen": "127.0.0.1:0", "storage.type": "memory",
            "dns.empty_grace": "0s",
        ]
        for (path, value) in usual.merging(settings, uniquingKeysWith: { $1 }) {
            environment["KONG_DISCOVERY_" + path.uppercased().replacing(".", with: "_")] = value.isEmpty ? nil : value
        }
        return try ChildProcess(
            path, arguments, environment: environment, folder: folder, descriptors: descriptors)
    }

    /// A folder in which nothing should be written, and which is nobody's home.
    static let temporaryFolder = FileManager.default.temporaryDirectory.path

    /// The addresses in log lines with this message.
    private static func endpoints(_ log: String, _ message: String) -> [Endpoint] {
        log.split(separator: "\n").filter { $0.contains(message) }.compactMap { line in
            line.split(separator: " ").first { $0.hasPrefix("address=") }.flatMap { Endpoint($0.dropFirst(8)) }
        }
    }

    /// The lines that the server has logged so far.
    var logLines: [String] { process.errors.split(separator: "\n").map(String.init) }

    /// Waits until the server has logged `count` lines with this text.
    func waitForLog(_ text: String, count: Int = 1) throws {
        let isLogged = try process.waitForErrors { $0.split(separator: "\n").count { $0.contains(text) } >= count }
        #expect(isLogged, "the server ended without logging '\(text)':\n\(process.errors)")
    }

    /// Ends the server at once, like a loss of power, except that the system keeps what it has in memory.
    func kill() throws {
        process.signal(SIGKILL)
        #expect(try process.waitForExit(within: 20) == .killed(signal: SIGKILL), "\(process.errors)")
    }

    /// Stops the server, which must exit with 0 within the promised 5 seconds.
    func stop(_ signal: Int32 = SIGTERM) throws {
        process.signal(signal)
        #expect(try process.waitForExit(within: 20) == .exited(0), "\(process.errors)")
    }
}

/// Runs a server while `body` runs, which must leave it working.
///
/// - Parameters:
///   - folder: its working folder.
///   - toleratesErrors: whether its log may contain errors, because the test causes some.
func withServer(
    _ settings: [String: String] = [:],
    file: String? = nil,
    folder: String = ServerProcess.temporaryFolder,
    until milestone: ServerProcess.Milestone = .ready,
    toleratesErrors: Bool = false,
    descriptors: (soft: Int, hard: Int)? = nil,
    _ body: (ServerProcess) async throws -> Void
) async throws {
    let server = try ServerProcess(
        settings, file: file, folder: folder, until: milestone, descriptors: descriptors)
    do {
        try await body(server)
        try server.stop()
    } catch {
        server.process.signal(SIGKILL)
        let status = try server.process.waitForExit()
        Issue.record(
            "the test stopped with \(error); the server ended with \(status) and had logged:\n\(server.process.errors)")
        return
    }
    let bad = server.logLines.filter { $0.contains(" error ") || $0.contains(" critical ") }
    #expect(bad.isEmpty || toleratesErrors)
}

/// A folder for the files of one test. It is removed when the test drops it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "kong-discovery-\(UUID())").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file. An existing one is replaced at once, and never seen half written.
    func write(_ name: String, _ text: String) throws -> String {
        let url = URL(filePath: path).appending(path: name)
        try Data(text.utf8).write(to: url, options: .atomic)
        return url.path
    }
}
