import Engine
import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import ControlPlane

/// What requests say of their client's certificate.
@Suite struct CertificateInRequestTests {
    /// Answers with the subject.
    private struct Handler: RequestHandler {
        let time = TimeSource.system
        let counters = HTTPCounters(endpoints: 0)

        func resolve(_ head: RequestHead) -> Result<ResolvedRequest, ResponseError> {
            let subject = head.certificateSubject
            return .success(
                ResolvedRequest(bodyLimit: nil) { _ in .text(subject ?? "nobody", contentType: "text/plain") })
        }
    }

    /// Runs a server with the certificate `server` of an authority while `body` runs.
    private func serving<Result: Sendable>(
        _ authority: TestAuthority, isMutual: Bool, _ body: (_ port: Int) async throws -> Result
    ) async throws -> Result {
        try authority.sign("server", "IP:127.0.0.1")
        let identity = try TestIdentity.read(
            certificate: authority.path("server.pem"), key: authority.path("server.key"),
            authorities: isMutual ? authority.path("authority.pem") : "")
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let http = try HTTPService(
            address: .v4(0x7F00_0001), port: 0, responder: HTTPResponder(handler: Handler(), date: HTTPDate()),
            listener: SecureListener(identity, logger: logger), logger: logger
        ) {
            port.yield($0)
        }
        let group = ServiceGroup(configuration: .init(services: [http], logger: logger))
        async let end: Void = group.run()
        do {
            let port = try #require(await ports.first { _ in true })
            let result = try await body(port)
            await group.triggerGracefulShutdown()
            try await end
            return result
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
    }

    private func answer(isMutual: Bool, isKnown: Bool = true) async throws -> String? {
        let authority = try TestAuthority()
        let other = try TestAuthority()
        let signer = isKnown ? authority : other
        try signer.sign("client", "DNS:client.example")
        return try await serving(authority, isMutual: isMutual) { port in
            let client = try HTTPClient(
                tls: .init(
                    authorities: authority.path("authority.pem"), certificate: signer.path("client.pem"),
                    key: signer.path("client.key")))
            let request = HTTPClientRequest(method: .get, url: "https://127.0.0.1:\(port)/")
            return (try? await client.send(request)).map { String(decoding: $0.body, as: UTF8.self) }
        }
    }

    @Test func `the subject is there if the authority has signed it, and only then`() async throws {
        #expect(try await answer(isMutual: true) == "CN=client")
        // Nobody has asked for the certificate, so nobody has verified it.
        #expect(try await answer(isMutual: false) == "nobody")
        #expect(try await answer(isMutual: true, isKnown: false) == nil)
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a resumed session is that of the same client`(version: String) async throws {
        let authority = try TestAuthority()
        try authority.sign("client", "DNS:client.example")
        try await serving(authority, isMutual: true) { port in
            let request = #"printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'"#
            func ask(_ options: String) async throws -> String {
                let client = "timeout 20 openssl s_client -connect 127.0.0.1:\(port) \(version) -ign_eof \(options)"
                return try await authority.shell("\(request) | \(client) 2>&1")
            }
            let first = try await ask("-cert client.pem -key client.key -sess_out session")
            #expect(first.contains("\nNew, ") && first.contains("CN=client"), "\(first)")
            let second = try await ask("-sess_in session")
            #expect(second.contains("\nReused, ") && second.contains("CN=client"), "\(second)")
        }
    }
}
