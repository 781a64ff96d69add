import ArgumentParser
import ControlPlane

/// The options that say which server a command asks, and how.
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

    @Option(help: ArgumentHelp("How long an answer may take, such as 500ms or 1m.", valueName: "duration"))
    var timeout = DurationArgument(.seconds(10))

    @OptionGroup var tls: TLSOptions

    func validate() throws {
        if token != nil, tokenFile != nil { throw ValidationError("Give --token or --token-file, not both.") }
        if timeout.duration <= .zero { throw ValidationError("--timeout must be above 0s.") }
    }

    /// How the server is reached.
    func access() throws -> ServerAccess {
        ServerAccess(
            url: Self.url(server), token: try Self.token(token, file: tokenFile), tls: tls.settings,
            timeout: timeout.duration)
    }

    /// The REST API's URL, by the option or the environment.
    static func url(_ option: String?) -> String {
        option ?? ConfigurationOptions.environment["KONG_DISCOVERY_URL"] ?? "http://127.0.0.1:8080"
    }

    /// The bearer token, by an option or the environment; `nil`: none.
    static func token(_ option: String?, file: String?) throws -> String? {
        try ClientToken.text(
            option: option, file: file, environment: ConfigurationOptions.environment["KONG_DISCOVERY_TOKEN"])
    }
}
