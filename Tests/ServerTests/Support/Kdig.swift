import Foundation
import Testing

/// Debian's `kdig`, a client that shares no code with the server.
enum Kdig {
    struct Reply {
        /// All that it has printed.
        var output: String
        /// NOERROR, NXDOMAIN, …
        var status: String
        /// The data of the records in ANSWER, in order.
        var answers: [String]
        /// The data of the records in ADDITIONAL, in order.
        var additional: [String]
    }

    /// Runs a query.
    static func ask(_ server: Endpoint, _ name: String, _ type: String, _ options: String...) throws -> Reply {
        let arguments = ["@\(server.host)", "-p", "\(server.port)", name, type, "+retry=0"] + options
        let process = try ChildProcess(
            "/usr/bin/kdig",
            arguments,
            environment: ProcessInfo.processInfo.environment,
            folder: ServerProcess.temporaryFolder
        )
        try #require(try process.waitForExit() == .exited(0), "\(process.output) \(process.errors)")
        let sections = process.output.components(separatedBy: "\n\n")
        func data(_ section: String) -> [String] {
            guard let text = sections.first(where: { $0.hasPrefix(";; \(section) SECTION:") }) else { return [] }
            return text.split(separator: "\n").dropFirst().map { line in
                // The fields are name, ttl, class, type and data.
                line.split(separator: /[ \t]+/, maxSplits: 4).last.map(String.init) ?? ""
            }
        }
        let status = try #require(process.output.firstMatch(of: /status: ([A-Z]+)/)?.1, "\(process.output)")
        return Reply(
            output: process.output, status: String(status), answers: data("ANSWER"), additional: data("ADDITIONAL"))
    }
}
