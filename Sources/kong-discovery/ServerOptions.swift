import ArgumentParser
import ControlPlane

/// The options that say which server a command asks, and by which token.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The REST API. Default: KONG_DISCOVERY_URL, else http://127.0.0.1:8080.", valueName: "url"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "The bearer token. Other users of the machine may see it here: prefer a file, or KONG_DISCOVERY_TOKEN.",
            valueName: "token"))
    var token: String?

    @Option(
        help: ArgumentHelp("A file that has the bearer token, and nothing else.", valueName: "file"),
        completion: .file())
    var tokenFile: String?

    /// The URL.
    var url: String {
        server ?? ConfigurationOptions.environment["KONG_DISCOVERY_URL"] ?? "http://127.0.0.1:8080"
    }

    func validate() throws {
        if token != nil, tokenFile != nil { throw ValidationError("Give --token or --token-file, not both.") }
    }

    /// The bearer token to send; `nil`: none.
    func bearerToken() throws -> String? {
        do throws(ClientToken.Failure) {
            let environment = ConfigurationOptions.environment["KONG_DISCOVERY_TOKEN"]
            return try ClientToken.text(option: token, file: tokenFile, environment: environment)
        } catch {
            LogOutput.standardError.print("\(error)")
            LogOutput.standardError.flush()
            throw ExitCode.failure
        }
    }
}
