import ArgumentParser
import ControlPlane

/// `kong-discovery services register`: registers an instance.
struct RegisterService: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "register",
        abstract: "Register an instance and print its id.",
        usage: "kong-discovery services register <name> --ip <address> --port <port> [<options>]",
        discussion: """
            The same name, address, port and protocol are the same instance: the command may be repeated. When it \
            returns, DNS answers with the instance. Unless its ttl is 0 it needs heartbeats: see 'services heartbeat'.

            EXAMPLES:
              kong-discovery services register orders --ip 10.0.0.1 --port 8080
              kong-discovery services register orders --ip 10.0.0.1 --port 80 \\
                  --ttl 0 --tag blue --tag eu --metadata zone=a \\
                  --check '{"name":"http","type":"http","path":"/healthz"}'
              kong-discovery services register --file instance.json --weight 10
            """
    )

    @Argument(help: "The service: one DNS label. May be in the file instead.", completion: .serviceNames)
    var name: String?

    @Option(help: ArgumentHelp("The IPv4 or IPv6 address.", valueName: "address"))
    var ip: String?

    @Option(help: ArgumentHelp("The port, 1 to 65535.", valueName: "port"))
    var port: Int?

    @Option(help: ArgumentHelp("tcp (the default) or udp.", valueName: "protocol"), completion: .list(["tcp", "udp"]))
    var `protocol`: String?

    @Option(help: ArgumentHelp("An id of its own. Default: a UUID that follows from the above.", valueName: "id"))
    var id: String?

    @Option(help: ArgumentHelp("A tag, one DNS label. May be given several times.", valueName: "tag"))
    var tag: [String] = []

    @Option(help: ArgumentHelp("Metadata. May be given several times.", valueName: "key=value"))
    var metadata: [String] = []

    @Option(help: ArgumentHelp("0 to 65535; 0 stands by. Default: 100.", valueName: "number"))
    var weight: Int?

    @Option(help: ArgumentHelp("0 to 65535; the lowest is answered. Default: 0.", valueName: "number"))
    var priority: Int?

    @Option(
        help: ArgumentHelp(
            "How long it lives without a heartbeat; 0 for ever. Default: the server's heartbeat.timeout.",
            valueName: "seconds"))
    var ttl: Int?

    @Option(
        name: .customLong("dns-ttl"),
        help: ArgumentHelp("The TTL of its records. Default: the server's dns.ttl.", valueName: "seconds"))
    var dnsTTL: Int?

    @Option(
        help: ArgumentHelp(
            "A health check: a JSON object, or a file that has one. May be given several times.", valueName: "check"),
        completion: .file(extensions: ["json"]))
    var check: [String] = []

    @Option(
        help: ArgumentHelp(
            "A file with the instance as JSON. Options take the place of its members.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var file: String?

    @Flag(help: "Print the whole instance as JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func validate() throws {
        if file != nil { return }
        if name == nil { throw ValidationError("Say which service: register NAME --ip ADDRESS --port PORT.") }
        if ip == nil || port == nil { throw ValidationError("Say where it is: --ip ADDRESS --port PORT.") }
    }

    func run(_ access: ServerAccess) async throws {
        var fields = RegisterCommand.Fields()
        (fields.id, fields.name, fields.ip, fields.port, fields.transport) = (id, name, ip, port, `protocol`)
        (fields.tags, fields.metadata, fields.checks) = (tag, metadata, check)
        (fields.weight, fields.priority, fields.ttl, fields.dnsTTL) = (weight, priority, ttl, dnsTTL)
        try await RegisterCommand(access).run(fields, file: file, isJSON: json)
    }
}
