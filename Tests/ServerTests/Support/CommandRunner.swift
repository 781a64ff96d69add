import Foundation
import Testing

/// The program's commands as a shell runs them.
struct CommandRunner {
    struct Result {
        var status: ChildProcess.Status
        var output: String
        var errors: String

        var lines: [Substring] { output.split(separator: "\n") }
        var errorLines: [Substring] { errors.split(separator: "\n") }
        var isDone: Bool { status == .exited(0) && errors.isEmpty }
    }

    /// `KONG_DISCOVERY_URL`
    var url: String
    /// `KONG_DISCOVERY_TOKEN`
    var token = ""

    /// Starts a command.
    func start(_ arguments: [String]) throws -> ChildProcess {
        // Commands need none of the server's settings, and must not stumble over them.
        try ServerProcess.start(arguments, ["url": url, "token": token])
    }

    /// Runs a command to its end.
    func run(_ arguments: [String]) throws -> Result {
        let process = try start(arguments)
        let status = try process.waitForExit()
        return Result(status: status, output: process.output, errors: process.errors)
    }

    /// The same with single words.
    func callAsFunction(_ arguments: String...) throws -> Result { try run(arguments) }

    /// Runs a shell's command line in which `$KONG_DISCOVERY` is the program.
    func shell(
        _ script: String, in shell: String = "sh", folder: String = ServerProcess.temporaryFolder
    ) throws -> Result {
        let process = try startShell(script, in: shell, folder: folder)
        let status = try process.waitForExit()
        return Result(status: status, output: process.output, errors: process.errors)
    }

    /// Starts a shell's command line.
    func startShell(
        _ script: String, in shell: String = "sh", folder: String = ServerProcess.temporaryFolder
    ) throws -> ChildProcess {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("KONG_DISCOVERY") }
        let own = [
            "KONG_DISCOVERY": ServerProcess.path, "KONG_DISCOVERY_URL": url, "KONG_DISCOVERY_TOKEN": token,
            "TERM": "xterm", "HOME": folder,
        ]
        variables.merge(own) { $1 }
        // `swift test` sets it where its own output is no terminal.
        variables["NO_COLOR"] = nil
        return try ChildProcess(shell, ["-c", script], environment: variables, folder: folder)
    }
}
