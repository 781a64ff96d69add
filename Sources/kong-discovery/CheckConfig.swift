import ArgumentParser
import ControlPlane

/// `kong-discovery check-config`: shows the effective configuration, or everything that is wrong with it.
struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the configuration and show the effective one.",
        discussion: """
            Prints the configuration that 'serve' would use as YAML, with secrets masked and a comment where a value \
            does not come from the defaults; the tokens of a tokens file follow as comments, with their hashes masked. \
            If anything is wrong, prints every error, one a line, to standard error and exits with 1.
            """
    )

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        defer { LogOutput.standardError.flush() }
        do throws(ConfigurationError) {
            let loaded = try options.load()
            let identity = try loaded.serverIdentity()
            let tokens = try loaded.tokensFile()
            try loaded.checkUser()
            print(loaded.yaml, terminator: "")
            for warning in identity?.warnings ?? [] { LogOutput.standardError.print("warning: \(warning)") }
            if let tokens {
                print(tokens.listing, terminator: "")
                for warning in tokens.warnings { LogOutput.standardError.print("warning: \(warning)") }
            }
        } catch {
            for problem in error.problems { LogOutput.standardError.print("\(problem)") }
            throw ExitCode.failure
        }
    }
}
