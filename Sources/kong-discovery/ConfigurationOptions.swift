import ArgumentParser
import ControlPlane
import Foundation

/// Options that say where the configuration comes from, for every command that needs it.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The configuration file (YAML). Without it the built-in defaults apply.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"])
    )
    var config: String?

    /// The log settings in the environment, for use until the whole configuration is known.
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
