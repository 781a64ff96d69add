import Foundation
import Testing

/// The real program, run as a user runs it, in a folder of its own.
final class ServerProcess: Sendable {
    /// Where the program is: beside the tests.
    static let path: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: tests).deletingLastPathComponent().appending(path: "kong-discovery").path
    }()

    /// What a start is waited for.
    enum Milestone: String {
        case ready = " ready"
        /// Long before, while it waits for its storage.
        case restListens = " REST API listens "
    }

    let process: ChildProcess
    /// Where it listens for DNS, as its log tells; where it will listen while it does not yet.
    let dns: [Endpoint]
    /// Where its REST API listens, as its log tells.
    let rest: Endpoint

    /// Starts the server and waits until it listens.
    ///
    /// - Parameters:
    ///   - settings: configuration keys by path, handed over in the environment; ports default to free ones, storage
    ///     to memory, and a name whose last healthy instance has gone is gone at once.
    ///   - file: the configuration file.
    ///   - folder: where it works.
    ///   - descriptors: the soft and the hard limit of files that it may have open.
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

    /// Starts the program, whatever comes of it.
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

    /// A folder that nothing should be written to, and nobody's home.
    static let temporaryFolder = FileManager.default.temporaryDirectory.path

    /// The addresses in lines of the log.
    private static func endpoints(_ log: String, _ message: String) -> [Endpoint] {
        log.split(separator: "\n").filter { $0.contains(message) }.compactMap { line in
            line.split(separator: " ").first { $0.hasPrefix("address=") }.flatMap { Endpoint($0.dropFirst(8)) }
        }
    }

    /// What the server has logged so far, by lines.
    var logLines: [String] { process.errors.split(separator: "\n").map(String.init) }

    /// Waits until the server has logged a line with a text `count` times.
    func waitForLog(_ text: String, count: Int = 1) throws {
        let isLogged = try process.waitForErrors { $0.split(separator: "\n").count { $0.contains(text) } >= count }
        #expect(isLogged, "the server ended without logging '\(text)':\n\(process.errors)")
    }

    /// Ends the server at once, as a loss of power would, but for what the system still has.
    func kill() throws {
        process.signal(SIGKILL)
        #expect(try process.waitForExit(within: 20) == .killed(signal: SIGKILL), "\(process.errors)")
    }

    /// Stops the server, which must end with 0 within the 5 seconds that are promised.
    func stop(_ signal: Int32 = SIGTERM) throws {
        process.signal(signal)
        #expect(try process.waitForExit(within: 20) == .exited(0), "\(process.errors)")
    }
}

/// Runs a server for the time of `body`, which must leave it well.
///
/// - Parameters:
///   - folder: where it works.
///   - toleratesErrors: whether its log may tell of errors: the test makes some.
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

/// A folder for the files of one test, removed when the test forgets it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "kong-discovery-\(UUID())").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file; one that is there is replaced at once, never seen half written.
    func write(_ name: String, _ text: String) throws -> String {
        let url = URL(filePath: path).appending(path: name)
        try Data(text.utf8).write(to: url, options: .atomic)
        return url.path
    }
}
