import ArgumentParser
import ControlPlane

/// `kong-discovery explain`: tells why a name is answered as it is.
struct Explain: ServerCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell why a name is answered as it is.",
        usage: "kong-discovery explain <name> [<type>] [--json] [<options>]",
        discussion: """
            Asks a server what a client at this address would be answered now, and which instances are in the answer \
            or left out, and why. Without a type it shows A, AAAA and SRV.

            EXAMPLES:
              kong-discovery explain orders.service.kong
              kong-discovery explain _orders._tcp.service.kong SRV --json
            """
    )

    @Argument(help: "The domain name, such as orders.service.kong.")
    var name: String

    @Argument(help: "The record type, such as A or SRV.", completion: .list(["A", "AAAA", "SRV", "ANY"]))
    var type: String?

    @Flag(help: "Print the server's answer as JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await ExplainCommand(access).run(name: name, type: type, isJSON: json)
    }
}
