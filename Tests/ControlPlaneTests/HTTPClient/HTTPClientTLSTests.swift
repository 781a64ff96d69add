import Testing

@testable import ControlPlane

/// Which servers are trusted over https.
@Suite(.timeLimit(.minutes(1))) struct HTTPClientTLSTests {
    private let authority: TestAuthority

    init() throws {
        authority = try TestAuthority()
        try authority.sign("server", "IP:127.0.0.1,DNS:localhost")
        try authority.sign("client", "DNS:client")
    }

    private var trusting: HTTPClient.TLS { .init(authorities: authority.path("authority.pem")) }

    private func get(_ url: String, _ tls: HTTPClient.TLS) async throws -> HTTPClientResponse {
        try await HTTPClient(tls: tls).send(HTTPClientRequest(method: .get, url: url))
    }

    private func error(_ url: String, _ tls: HTTPClient.TLS) async -> HTTPClientError? {
        do {
            let response = try await get(url, tls)
            Issue.record("status \(response.status)")
            return nil
        } catch {
            return error as? HTTPClientError
        }
    }

    @Test func `a server is verified by the file of authorities`() async throws {
        let server = try TLSServer("server", of: authority)
        for host in ["127.0.0.1", "localhost"] {
            let response = try await get(server.url(host), trusting)
            #expect(response.status == 200)
            #expect(String(decoding: response.body, as: UTF8.self).contains("TLSv1.3"))
        }
    }

    @Test func `a server of another authority is refused`() async throws {
        let server = try TLSServer("server", of: authority)
        let other = try TestAuthority()
        for tls in [HTTPClient.TLS(authorities: other.path("authority.pem")), .init()] {
            let error = await error(server.url(), tls)
            #expect(error?.kind == .tls)
            #expect(error?.mayHaveBeenSent == false)
            #expect(error?.reason.contains("certificate problem") == true, "\(String(describing: error))")
        }
    }

    @Test func `a server with another name is refused`() async throws {
        try authority.sign("elsewhere", "DNS:elsewhere.example")
        let server = try TLSServer("elsewhere", of: authority)
        for host in ["127.0.0.1", "localhost"] {
            let error = await error(server.url(host), trusting)
            #expect(error?.kind == .tls)
            #expect(error?.mayHaveBeenSent == false)
            #expect(error?.reason.contains("SSL: no alternative certificate subject name matches") == true)
        }
    }

    @Test func `a client shows its certificate`() async throws {
        let server = try TLSServer(
            "server", of: authority, "-Verify", "1", "-CAfile", "authority.pem", "-verify_return_error")
        var tls = trusting
        tls.certificate = authority.path("client.pem")
        tls.key = authority.path("client.key")
        let response = try await get(server.url(), tls)
        #expect(String(decoding: response.body, as: UTF8.self).contains("CN=client"))
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a client without a certificate is refused where one is required`(version: String) async throws {
        let server = try TLSServer(
            "server", of: authority, version, "-Verify", "1", "-CAfile", "authority.pem", "-verify_return_error")
        let error = await error(server.url(), trusting)
        // With TLS 1.3 the client has already sent its request when the server refuses it.
        #expect(error?.kind == (version == "-tls1_2" ? .tls : .connectionLost))
    }

    @Test func `files that are missing are named`() async throws {
        let server = try TLSServer("server", of: authority)
        var tls = trusting
        tls.certificate = "/nowhere/client.pem"
        let first = await error(server.url(), tls)
        #expect(first?.kind == .tls)
        #expect(first?.reason.contains("/nowhere/client.pem") == true)
        let second = await error(server.url(), .init(authorities: "/nowhere/authority.pem"))
        #expect(second?.kind == .tls)
        #expect(second?.reason.contains("/nowhere/authority.pem") == true)
    }

    @Test func `a server that does not speak TLS is refused`() async throws {
        let server = try ScriptedServer { connection in
            connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.waitForEnd()
        }
        let error = await error("https://127.0.0.1:\(server.port)/", trusting)
        #expect(error?.kind == .tls)
        #expect(error?.mayHaveBeenSent == false)
    }
}
