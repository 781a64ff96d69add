public import ArgumentParser
public import ControlPlane

/// `kong-discovery services import`: registers what a file, or CoreDNS' tree in etcd, has.
struct ImportServices: ServerCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Register instances from a file, from Consul, or from CoreDNS' tree in etcd.",
        usage: "kong-discovery services import (<file> | - | --skydns <url> --zone <domain>) [<options>]",
        discussion: """
            FORMATS:
              json     what 'services export' and the API's list give, an array,
                       or one object after the other
              csv      the first row names the fields; tags are separated by
                       blanks or ';', metadata and checks are JSON
              consul   the answers of /v1/catalog/service/NAME,
                       /v1/health/service/NAME and /v1/agent/services
              skydns   what 'etcdctl get --prefix /skydns -w json' prints;
                       --skydns reads it from etcd itself

            Without --format the file must tell. Every instance that is refused is named with its place in the file \
            and the reason, all others are registered, and the exit code is 1. An import may be repeated: what is \
            there already is replaced. Instances that were draining are drained here too.

            From Consul and CoreDNS instances come without a ttl (0), since nobody sends heartbeats for them yet. Tags \
            of Consul that are no DNS labels become the metadata 'consul_tags'. Instances that are critical there \
            and those of its service mesh are left out.

            --dry-run changes nothing. It does not know the server's networks and limits, and what the token may.

            EXAMPLES:
              kong-discovery services import services.json --dry-run
              curl -s http://consul:8500/v1/health/service/orders |
                  kong-discovery services import -
              kong-discovery services import --skydns http://etcd:2379 --zone cluster.local
            """
    )

    @Argument(help: "The file; - is standard input.", completion: .file())
    var file: String?

    @Option(help: ArgumentHelp("What the file is. Default: it must tell.", valueName: "format"))
    var format: ImportFormat?

    @Flag(help: "Say what would be registered, replaced and refused, and change nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Instead of a file: the etcd that has CoreDNS' tree. The options for TLS hold for it too.",
            valueName: "url"))
    var skydns: String?

    @Option(help: ArgumentHelp("Where CoreDNS' tree begins.", valueName: "path"))
    var prefix = "/skydns"

    @Option(
        help: ArgumentHelp(
            """
            The domain of CoreDNS whose names become services: with cluster.local, x1.orders.cluster.local is an \
            instance of orders, and x1.blue.orders.cluster.local one with the tag blue.
            """, valueName: "domain"))
    var zone: String?

    @Option(help: ArgumentHelp("The ttl of instances without one; 0: for ever.", valueName: "seconds"))
    var ttl: Int?

    @Option(help: ArgumentHelp("The address of instances without one, as in /v1/agent/services.", valueName: "address"))
    var ip: String?

    @Option(help: ArgumentHelp("The port of instances without one.", valueName: "port"))
    var port: Int?

    @Flag(help: "Print the counts as JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func validate() throws {
        if (file == nil) == (skydns == nil) { throw ValidationError("Say what to import: FILE, - or --skydns URL.") }
        if skydns != nil || format == .skydns, zone == nil {
            throw ValidationError("CoreDNS' tree needs --zone: the domain whose names become services.")
        }
        if skydns != nil, let format, format != .skydns { throw ValidationError("--skydns has its own format.") }
        if let ttl, !(0...Int(Int32.max)).contains(ttl) { throw ValidationError("--ttl must be 0 or more.") }
        if let port, !(1...65535).contains(port) { throw ValidationError("--port must be from 1 to 65535.") }
    }

    func run(_ access: ServerAccess) async throws {
        var options = ImportCommand.Options()
        (options.file, options.format) = (file, format)
        (options.etcd, options.prefix, options.zone) = (skydns, prefix, zone)
        (options.ttl, options.ip, options.port) = (ttl, ip, port)
        (options.isDryRun, options.isJSON) = (dryRun, json)
        try await ImportCommand(access, options).run()
    }
}

extension ImportFormat: ExpressibleByArgument {}
