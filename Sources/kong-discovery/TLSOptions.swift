import ArgumentParser
import ControlPlane

/// The options that say how a command speaks TLS with a server; named as curl names them.
struct TLSOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Authorities (PEM) that the server's certificate must come from. Default: the system's.", valueName: "file"
        ), completion: .file())
    var cacert: String?

    @Option(
        help: ArgumentHelp("The client certificate (PEM), with its chain.", valueName: "file"), completion: .file())
    var cert: String?

    @Option(
        help: ArgumentHelp(
            "The client certificate's private key (PEM). Default: it is in the file of --cert.", valueName: "file"),
        completion: .file())
    var key: String?

    @Flag(help: "Take any certificate of the server: whoever is on the way can read and change everything.")
    var insecure = false

    /// The options as the client takes them.
    var settings: ClientTLS {
        var settings = ClientTLS()
        settings.authorities = cacert ?? ""
        settings.certificate = cert ?? ""
        settings.key = key ?? ""
        settings.verifies = !insecure
        return settings
    }

    func validate() throws {
        if let problem = settings.problem { throw ValidationError(problem) }
    }
}
