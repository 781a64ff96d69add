import ArgumentParser
import ControlPlane

/// A command that asks a server.
protocol ServerCommand: AsyncParsableCommand {
    var server: ServerOptions { get }

    /// Does what the command is for.
    func run(_ access: ServerAccess) async throws
}

extension ServerCommand {
    func run() async throws {
        let code = await CommandRun.exitCode { try await run(server.access()) }
        if code != 0 { throw ExitCode(code) }
    }
}
