import ArgumentParser
import ControlPlane

/// The program: its commands and their help.
struct KongDiscovery: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kong-discovery",
        abstract: "Service discovery for Kong gateways: register over REST, resolve over DNS.",
        discussion: """
            Services register at the REST API; Kong, and every other DNS client, finds the healthy ones as \
            A, AAAA and SRV records with the next query.

            Every key of the configuration file can be overridden by an environment variable: KONG_DISCOVERY_ \
            and the key's path in upper case with underscores.

            EXAMPLES:
              kong-discovery
                  run with the built-in defaults: DNS on 127.0.0.1:8600, REST on 127.0.0.1:8080

              kong-discovery serve --config kong-discovery.yaml
                  run with a configuration file; SIGHUP reads it again, SIGTERM stops

              KONG_DISCOVERY_DNS_TTL=2s kong-discovery serve
                  override the key dns.ttl

              kong-discovery check-config --config kong-discovery.yaml
                  show every error in the file, or the effective configuration

              kong-discovery services register orders --ip 10.0.0.1 --port 8080
                  register an instance; 'services' also lists, drains, imports and exports them

              kong-discovery explain orders.service.kong
                  tell why a name is answered as it is

              kong-discovery backup registry.backup
                  write everything that is registered to a file; 'restore' takes it in again

              kong-discovery token --name ci --role write --services 'orders*'
                  make a token for the REST API, and the line for server.tokens_file
            """,
        version: BuildVersion.current,
        subcommands: [
            Serve.self, CheckConfig.self, ServicesCommand.self, Names.self, Status.self, Explain.self, Events.self,
            Backup.self, Restore.self, TokenCommand.self, Completions.self, DocumentCommand.self,
        ],
        defaultSubcommand: Serve.self
    )

    static func main() async {
        // If even the program's name is missing, the arguments were lost: some loaders and wrappers do that. Don't
        // serve then, since something else may have been requested.
        guard CommandLine.arguments.first?.isEmpty == false else {
            LogOutput.standardError.printFailure("the program was started without its list of arguments")
            LogOutput.standardError.flush()
            exit(withError: ExitCode.failure)
        }
        do {
            let command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                var command = command
                try command.run()
            }
        } catch {
            end(error)
        }
    }

    /// Ends the program: with 2 if the arguments are wrong, as most programs do.
    private static func end(_ error: any Error) -> Never {
        guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
        LogOutput.standardError.print(fullMessage(for: error))
        LogOutput.standardError.flush()
        exit(withError: ExitCode(2))
    }
}
