import ArgumentParser
import ControlPlane

/// `kong-discovery services deregister`: takes instances out.
struct DeregisterService: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "deregister",
        abstract: "Take instances out of DNS and the registry.",
        usage: "kong-discovery services deregister <id> ... [<options>]",
        discussion: "When it returns, DNS does not answer with them any more. To keep them registered, drain them."
    )

    @Argument(help: "The instances' ids.")
    var ids: [String]

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await ChangeCommands(access).deregister(ids: ids)
    }
}

/// `kong-discovery services heartbeat`: says that instances are alive.
struct HeartbeatService: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "heartbeat",
        abstract: "Say that instances are alive, once or again and again.",
        usage: "kong-discovery services heartbeat <id> ... [--every <duration>] [<options>]",
        discussion: """
            It registers nothing: if the server does not know an instance (any more), it says so and exits with 1, so \
            that whoever runs it can register again. With --every it goes on until SIGINT or SIGTERM, also while the \
            server can't be reached.

            EXAMPLES:
              kong-discovery services heartbeat 2f1a… --every 10s
            """
    )

    @Argument(help: "The instances' ids.")
    var ids: [String]

    @Option(help: ArgumentHelp("Go on, and send one so often, such as 10s.", valueName: "duration"))
    var every: DurationArgument?

    @OptionGroup var server: ServerOptions

    func validate() throws {
        if let every, every.duration < .milliseconds(100) { throw ValidationError("--every must be at least 100ms.") }
    }

    func run(_ access: ServerAccess) async throws {
        let command = HeartbeatCommand(access)
        if let every {
            try await command.run(ids: ids, every: every.duration)
        } else {
            try await command.run(ids: ids)
        }
    }
}

/// Which instances are drained.
struct DrainOptions: ParsableArguments {
    @Argument(help: "The instances' ids.")
    var ids: [String] = []

    @Option(help: ArgumentHelp("All of this host.", valueName: "address"))
    var ip: String?

    @Option(help: ArgumentHelp("All of this service.", valueName: "name"), completion: .serviceNames)
    var name: String?

    @Option(help: ArgumentHelp("With --name: those with this tag.", valueName: "tag"))
    var tag: String?

    func validate() throws {
        let count = [!ids.isEmpty, ip != nil, name != nil].count { $0 }
        if count != 1 { throw ValidationError("Say which: ids, --ip ADDRESS, or --name NAME.") }
        if tag != nil, name == nil { throw ValidationError("--tag needs --name.") }
    }

    var selection: ChangeCommands.Selection {
        if let ip { return .address(ip) }
        if let name { return .service(name, tag: tag) }
        return .ids(ids)
    }
}

/// `kong-discovery services drain`: takes instances out of DNS, and keeps them in the registry.
struct DrainServices: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Take instances out of DNS before maintenance, and keep them registered.",
        usage: "kong-discovery services drain (<id> ... | --ip <address> | --name <name> [--tag <tag>]) [<options>]",
        discussion: """
            They stay out, whatever checks and heartbeats say, until 'services undrain'.

            EXAMPLES:
              kong-discovery services drain --ip 10.0.0.1
              kong-discovery services drain --name orders --tag blue
            """
    )

    @OptionGroup var options: DrainOptions

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await ChangeCommands(access).drain(options.selection, isDraining: true)
    }
}

/// `kong-discovery services undrain`: puts drained instances back into DNS.
struct UndrainServices: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "undrain", abstract: "Put drained instances back into DNS.",
        usage: "kong-discovery services undrain (<id> ... | --ip <address> | --name <name> [--tag <tag>]) [<options>]")

    @OptionGroup var options: DrainOptions

    @OptionGroup var server: ServerOptions

    func run(_ access: ServerAccess) async throws {
        try await ChangeCommands(access).drain(options.selection, isDraining: false)
    }
}
