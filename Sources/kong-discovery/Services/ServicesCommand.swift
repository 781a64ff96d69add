import ArgumentParser

/// `kong-discovery services`: the instances of a server.
struct ServicesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "services",
        abstract: "List, register and change instances.",
        discussion: """
            Everything goes over the REST API of a server: --server URL or KONG_DISCOVERY_URL says which, --token-file \
            or KONG_DISCOVERY_TOKEN with which token.

            Exit codes: 0 done; 1 the server refused or can't be reached, or something is not there; 2 wrong arguments.

            EXAMPLES:
              kong-discovery services list --name orders
              id=$(kong-discovery services register orders --ip 10.0.0.1 --port 80)
              kong-discovery services heartbeat "$id" --every 10s
              kong-discovery services drain --ip 10.0.0.1
              kong-discovery services export --format json --output services.json
              kong-discovery services import services.json --server http://other:8080
            """,
        subcommands: [
            ListServices.self, ShowService.self, RegisterService.self, DeregisterService.self, HeartbeatService.self,
            DrainServices.self, UndrainServices.self, ImportServices.self, ExportServices.self,
        ]
    )
}
