import ArgumentParser
import ControlPlane

/// `kong-discovery names`: prints services and how many instances they have.
struct Names: ServerCommand {
    static let configuration = CommandConfiguration(
        abstract: "List services, and how many instances they have in which state.",
        usage: "kong-discovery names [--json] [--watch] [<options>]")

    @OptionGroup var options: ListOptions

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await options.print(ListCommand(access, .names))
    }
}

/// `kong-discovery status`: prints the state of a server.
struct Status: ServerCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the state of a server at a glance.",
        usage: "kong-discovery status [--json] [<options>]",
        discussion: "Rates are those of half a second. --json prints GET /api/v1/status as it is."
    )

    @Flag(help: "Print the server's answer as JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await StatusCommand(access).run(isJSON: json)
    }
}

/// `kong-discovery events`: prints changes as they happen.
struct Events: ServerCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print changes as they happen, one a line, until Ctrl-C.",
        usage: "kong-discovery events [--name <name>] [--tag <tag>] [--snapshot] [--json] [<options>]",
        discussion: """
            When the connection breaks it comes back and goes on behind the last event; if the server does not know \
            that one any more, 'reset' and all instances come.

            EXAMPLES:
              kong-discovery events
              kong-discovery events --name orders --snapshot --json
            """
    )

    @Option(help: ArgumentHelp("Of this service only.", valueName: "name"), completion: .serviceNames)
    var name: String?

    @Option(help: ArgumentHelp("Of instances with this tag only.", valueName: "tag"))
    var tag: String?

    @Flag(help: "Print all instances first, then 'live'.")
    var snapshot = false

    @Flag(help: "Print each event as a JSON object.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await EventsCommand(access).run(name: name, tag: tag, hasSnapshot: snapshot, isJSON: json)
    }
}
