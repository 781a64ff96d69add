import ArgumentParser
import ControlPlane

/// `kong-discovery explain`: tells why a name is answered as it is.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell why a name is answered as it is.",
        discussion: """
            Asks a server what a client at this address would be answered now, and which instances are in the answer \
            or left out, and why. Without a type it shows A, AAAA and SRV.
            """
    )

    @Argument(help: "The domain name, such as orders.service.kong.")
    var name: String

    @Argument(help: "The record type, such as A or SRV.")
    var type: String?

    @OptionGroup var server: ServerOptions

    @OptionGroup var tls: TLSOptions

    @Flag(help: "Print the server's answer as JSON.")
    var json = false

    func run() async throws {
        let command = ExplainCommand(server: server.url, token: try server.bearerToken(), tls: tls.settings)
        do throws(ExplainCommand.Failure) {
            print(try await command.run(name: name, type: type, isJSON: json), terminator: "")
        } catch {
            LogOutput.standardError.print("\(error)")
            LogOutput.standardError.flush()
            throw ExitCode.failure
        }
    }
}
