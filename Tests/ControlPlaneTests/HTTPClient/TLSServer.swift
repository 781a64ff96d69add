import Foundation
import Glibc

/// Runs `openssl`.
private func openssl(_ words: String..., in folder: URL) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = words
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    return process
}

/// A certificate authority in a temporary folder, with the certificates that it has signed.
final class TestAuthority: Sendable {
    struct Failure: Error {
        var command: String
    }

    let folder: URL

    /// Makes `authority.pem`.
    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "authority-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try make("authority", "-addext", "basicConstraints=critical,CA:true")
    }

    deinit {
        try? FileManager.default.removeItem(at: folder)
    }

    /// Makes `<name>.pem` and `<name>.key` for a host's names, as openssl writes them: `DNS:a,IP:127.0.0.1`.
    func sign(_ name: String, _ hosts: String) throws {
        try make(
            name, "-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "subjectAltName=\(hosts)", "-addext",
            "basicConstraints=critical,CA:false")
    }

    /// Makes `<name>.pem` and `<name>.key` like ``sign(_:_:)``, but the certificate expired yesterday.
    func signExpired(_ name: String, _ hosts: String) throws {
        try run(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=\(name)",
            "-addext", "subjectAltName=\(hosts)", "-keyout", "\(name).key", "-out", "\(name).csr")
        try run(
            "x509", "-req", "-in", "\(name).csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-copy_extensions",
            "copyall", "-days", "-1", "-out", "\(name).pem")
    }

    /// Makes `<name>.pem` and `<name>.key` with a subject; nobody else has signed it.
    func selfSign(_ name: String, _ subject: String) throws {
        try run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
            "-utf8", "-multivalue-rdn", "-subj", subject, "-keyout", "\(name).key", "-out", "\(name).pem")
    }

    /// Runs `openssl`.
    ///
    /// - Returns: what it has written to standard output.
    func output(_ words: String...) throws -> String {
        let process = try openssl(in: folder)
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let octets = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw Failure(command: "openssl \(words[0])") }
        return String(decoding: octets, as: UTF8.self)
    }

    /// Runs a command in the folder, and waits without holding a thread that its server may need.
    ///
    /// - Returns: what it has written to standard output, 64 KiB at most.
    func shell(_ command: String) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.currentDirectoryURL = folder
        let pipe = Pipe()
        process.standardOutput = pipe
        let (ends, end) = AsyncStream.makeStream(of: Never.self)
        process.terminationHandler = { _ in end.finish() }
        try process.run()
        for await _ in ends {}
        return String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }

    private func run(_ words: String...) throws {
        let process = try openssl(in: folder)
        process.arguments = words
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw Failure(command: "openssl \(words[0])") }
    }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    private func make(_ name: String, _ more: String...) throws {
        let process = try openssl(in: folder)
        process.arguments =
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                "-subj", "/CN=\(name)", "-keyout", "\(name).key", "-out", "\(name).pem",
            ] + more
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw Failure(command: "openssl req for \(name)") }
    }
}

/// `openssl s_server`, which answers GET with a page about the connection.
final class TLSServer {
    private let process: Process
    let port: Int

    /// Starts with a certificate signed by an authority, and waits until it listens.
    init(
        _ certificate: String, of authority: TestAuthority, at host: String = "127.0.0.1", _ more: String...
    ) throws {
        process = try openssl(in: authority.folder)
        process.arguments =
            ["s_server", "-accept", "\(host):0", "-cert", "\(certificate).pem", "-key", "\(certificate).key", "-www"]
            + more
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        var output = ""
        // ACCEPT 127.0.0.1:40123
        while !output.hasSuffix("\n") || !output.contains("ACCEPT") {
            let octets = pipe.fileHandleForReading.availableData
            if octets.isEmpty { break }
            output += String(decoding: octets, as: UTF8.self)
        }
        let port = output.split(separator: "\n").first { $0.hasPrefix("ACCEPT") }?.split(separator: ":").last
        guard let port = port.flatMap({ Int($0) }) else {
            Self.stop(process)
            throw TestAuthority.Failure(command: "openssl s_server")
        }
        self.port = port
    }

    deinit {
        Self.stop(process)
    }

    /// Gentler signals are blocked in processes that Foundation starts, as they are in the thread that starts them.
    private static func stop(_ process: Process) {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// The URL of a request.
    func url(_ host: String = "127.0.0.1") -> String { "https://\(host):\(port)/" }
}
