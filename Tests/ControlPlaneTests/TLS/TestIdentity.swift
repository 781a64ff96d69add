import Foundation

@testable import ControlPlane

/// A certificate for the tests' servers, made once.
enum TestIdentity {
    static let server: Result<ServerIdentity, any Error> = Result {
        let authority = try TestAuthority()
        try authority.sign("server", "DNS:localhost,IP:127.0.0.1")
        return try read(certificate: authority.path("server.pem"), key: authority.path("server.key"))
    }

    /// Reads files as the server does.
    static func read(
        certificate: String, key: String, authorities: String = ""
    ) throws(ConfigurationError) -> ServerIdentity {
        let variables = [
            "KONG_DISCOVERY_SERVER_TLS_CERTIFICATE": certificate, "KONG_DISCOVERY_SERVER_TLS_KEY": key,
            "KONG_DISCOVERY_SERVER_TLS_CLIENT_CA": authorities,
        ].filter { !$0.value.isEmpty }
        guard let identity = try LoadedConfiguration(file: nil, environment: variables).serverIdentity() else {
            throw ConfigurationError([])
        }
        return identity
    }
}
