import Foundation
import Testing

/// The commands of a `console` block, and what a page says that they print.
struct ConsoleSession {
    struct Step: Equatable {
        /// Without the prompts `$ ` and, in further lines, `> `.
        var command: String
        /// What the page shows; `…` stands for anything.
        var output: String
    }

    private(set) var steps: [Step] = []

    init(_ lines: [String]) {
        for line in lines {
            if line.hasPrefix("$ ") {
                steps.append(Step(command: String(line.dropFirst(2)), output: ""))
            } else if line.hasPrefix("> "), steps.last?.output == "" {
                steps[steps.count - 1].command += "\n" + line.dropFirst(2)
            } else if !steps.isEmpty {
                steps[steps.count - 1].output += line + "\n"
            }
        }
        for index in steps.indices { steps[index].output = Self.trimmed(steps[index].output) }
    }

    /// Runs the commands in one shell, with the server in place of the one with default ports.
    ///
    /// - Returns: what each printed, to either stream.
    func run(with server: ServerProcess, in folder: TemporaryFolder) throws -> [String] {
        let marker = "-- end of step --"
        let commands = steps.map { step in
            let command = step.command.replacing("localhost:8080", with: "\(server.rest)")
                .replacing("-p 8600", with: "-p \(server.dns[0].port)")
            return "\(command)\nprintf '\\n%s\\n' '\(marker)'\n"
        }
        let program = URL(filePath: ServerProcess.path).deletingLastPathComponent().path
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("KONG_DISCOVERY_") }
        environment["PATH"] = "\(program):\(environment["PATH"] ?? "/usr/bin:/bin")"
        environment["KONG_DISCOVERY_URL"] = "http://\(server.rest)"
        let shell = try ChildProcess(
            "/bin/bash", ["-c", "exec 2>&1\n" + commands.joined()], environment: environment, folder: folder.path)
        try #require(try shell.waitForExit(within: 60) == .exited(0), "\(shell.output)")
        return shell.output.components(separatedBy: "\n\(marker)\n").dropLast().map(Self.trimmed)
    }

    /// Whether a text is what a page shows: times may differ, and `…` stands for anything.
    static func matches(_ text: String, _ shown: String) -> Bool {
        let text = withoutTimes(text)
        let parts = withoutTimes(shown).components(separatedBy: "…")
        guard parts.count > 1 else { return text == parts[0] }
        guard text.hasPrefix(parts[0]) else { return false }
        var rest = text.dropFirst(parts[0].count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(parts[parts.count - 1])
    }

    private static func withoutTimes(_ text: String) -> String {
        text.replacing(/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z/, with: "(time)")
    }

    private static func trimmed(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.replacing(/[ ]+$/, with: "")
        }.joined(separator: "\n").trimmingCharacters(in: .newlines)
    }
}
