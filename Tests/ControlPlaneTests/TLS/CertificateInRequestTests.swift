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

        func resolve(_ head: RequestHead) -> Result<ResolvedRequest, ResponseError> {
            let subject = head.certificateSubject
            return .success(
                ResolvedRequest(bodyLimit: nil) { _ in .text(subject ?? "nobody", contentType: "text/plain") })
        }
    }

    private func answer(isMutual: Bool, isKnown: Bool = true) async throws -> String? {
        let authority = try TestAuthority()
        let other = try TestAuthority()
        try authority.sign("server", "IP:127.0.0.1")
        let signer = isKnown ? authority : other
        try signer.sign("client", "DNS:client.example")
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
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let port = try #require(await ports.first { _ in true })
            let client = try HTTPClient(
                tls: .init(
                    authorities: authority.path("authority.pem"), certificate: signer.path("client.pem"),
                    key: signer.path("client.key")))
            let response = try? await client.send(
                HTTPClientRequest(method: .get, url: "https://127.0.0.1:\(port)/"))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return response.map { String(decoding: $0.body, as: UTF8.self) }
        }
    }

    @Test func `the subject is there if the authority has signed it, and only then`() async throws {
        #expect(try await answer(isMutual: true) == "CN=client")
        // Nobody has asked for the certificate, so nobody has verified it.
        #expect(try await answer(isMutual: false) == "nobody")
        #expect(try await answer(isMutual: true, isKnown: false) == nil)
    }
}
