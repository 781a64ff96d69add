import ArgumentParser
import ControlPlane
import Foundation

/// Where the configuration comes from; the same for every command that needs it.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The configuration file (YAML). Without it the built-in defaults apply.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"])
    )
    var config: String?

    /// What the environment alone says of the log, for as long as nothing else is known.
    var logInEnvironment: Configuration.Log {
        LoadedConfiguration.log(environment: Self.environment)
    }

    /// Reads the file and the process's environment.
    func load() throws(ConfigurationError) -> LoadedConfiguration {
        try LoadedConfiguration(file: config, environment: Self.environment)
    }

    /// The process's environment variables.
    static var environment: [String: String] { ProcessInfo.processInfo.environment }
}
