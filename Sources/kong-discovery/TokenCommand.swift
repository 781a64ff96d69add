public import ArgumentParser
public import ControlPlane

/// `kong-discovery token`: makes a token.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make a random token, and the line for the tokens file.",
        discussion: """
            Prints two lines: the token, which goes to its holder and is nowhere else, and the entry for \
            server.tokens_file, which has only its hash. The server reads the file at its start and on SIGHUP.
            """
    )

    @Option(help: ArgumentHelp("Tells it from others in logs. Default: token- and some digits.", valueName: "name"))
    var name: String?

    @Option(help: "What its holder may do: read, write or admin.")
    var role = Role.read

    @Option(
        help: ArgumentHelp(
            "Services that a token with the role write may change, such as orders*,billing. Default: all.",
            valueName: "names"))
    var services: String?

    func run() throws {
        defer { LogOutput.standardError.flush() }
        let names = services.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        do throws(NewToken.Failure) {
            let token = try NewToken(name: name, role: role, services: names ?? [])
            print(token.secret)
            print(token.line)
        } catch {
            LogOutput.standardError.print("\(error)")
            throw ExitCode.failure
        }
    }
}

extension Role: ExpressibleByArgument {}
