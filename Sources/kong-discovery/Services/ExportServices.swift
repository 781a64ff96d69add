public import ArgumentParser
public import ControlPlane

/// `kong-discovery services export`: writes instances in a form that other programs read.
struct ExportServices: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write instances as JSON, CSV, a hosts file, or upstreams for Kong.",
        usage: "kong-discovery services export [--format <format>] [--output <file>] [<options>]",
        discussion: """
            FORMATS:
              json    what 'services import' takes, one instance a line
              csv     the same for spreadsheets
              hosts   lines of /etc/hosts: the healthy instances
              deck    a file for 'deck gateway sync': for each service an
                      upstream with its targets

            Ids that a server makes by itself are left out: the other server makes the same.

            In a decK file an upstream has the service's name in DNS, so Kong uses it wherever a service of Kong's has \
            that host. What DNS does not answer (draining, critical, of a worse priority) has the weight 0. All is \
            tagged 'kong-discovery', and decK is told to touch nothing else.

            EXAMPLES:
              kong-discovery services export --output services.json
              kong-discovery services export --format deck | deck gateway sync -
            """
    )

    @Option(help: ArgumentHelp("What is written.", valueName: "format"))
    var format = ExportCommand.Format.json

    @Option(
        help: ArgumentHelp(
            "A file, which is replaced once all is written. Default: standard output.", valueName: "file"),
        completion: .file())
    var output: String?

    @Option(help: ArgumentHelp("Of this service only.", valueName: "name"), completion: .serviceNames)
    var name: String?

    @Option(help: ArgumentHelp("With this tag only.", valueName: "tag"))
    var tag: String?

    @Option(help: ArgumentHelp("For hosts and deck: the server's dns.domain.", valueName: "domain"))
    var domain = "service.kong"

    @OptionGroup var server: ServerOptions

    func validate() throws {
        if !ExportCommand.isDomain(domain) { throw ValidationError("--domain must be a domain name.") }
    }

    func run(_ access: ServerAccess) async throws {
        try await ExportCommand(access, format, name: name, tag: tag, domain: domain).run(output: output)
    }
}

extension ExportCommand.Format: ExpressibleByArgument {}
