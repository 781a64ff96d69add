import ArgumentParser
import ControlPlane

/// `kong-discovery services list`: prints instances.
struct ListServices: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List instances in the order of their registration.",
        usage: "kong-discovery services list [--name <name>] [--tag <tag>] [--status <status>] [<options>]",
        discussion: """
            On a terminal the table fits its width: texts are cut, and if need be columns left out. Into a file or \
            pipe it is written whole. --json has every field.

            EXAMPLES:
              kong-discovery services list
              kong-discovery services list --name orders --status critical
              kong-discovery services list --tag blue --json
              kong-discovery services list --watch
            """
    )

    @Option(help: ArgumentHelp("Of this service only.", valueName: "name"), completion: .serviceNames)
    var name: String?

    @Option(help: ArgumentHelp("With this tag only.", valueName: "tag"))
    var tag: String?

    @Option(
        help: ArgumentHelp("passing, warning, critical or draining only.", valueName: "status"), completion: .statuses)
    var status: String?

    @OptionGroup var options: ListOptions

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await options.print(ListCommand(access, .services(name: name, tag: tag, status: status)))
    }
}

/// `kong-discovery services show`: prints instances with all that is known of them.
struct ShowService: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show instances with their metadata, checks and times.",
        usage: "kong-discovery services show <id> ... [--json] [<options>]"
    )

    @Argument(help: "The instances' ids.")
    var ids: [String]

    @Flag(help: "Print each as a JSON object on a line of its own.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await ShowCommand(access).run(ids: ids, isJSON: json)
    }
}
