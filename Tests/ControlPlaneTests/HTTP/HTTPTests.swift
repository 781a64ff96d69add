import Engine
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import ControlPlane

/// The API over real sockets: behaviour that only HTTP itself shows.
@Suite struct HTTPTests {
    private let api = TestAPI()

    /// Runs a server on a free port, lets `body` talk to it, and stops it.
    private func serving(
        bodyLimits: RequestBodyReader.Limits = RequestBodyReader.Limits(),
        _ body: @Sendable @escaping (_ port: Int) async throws -> Void
    ) async throws {
        try await serving(api, nil, bodyLimits, body)
        // Everything is the same over TLS.
        try await TestHTTPClient.$speaksTLS.withValue(true) {
            try await serving(TestAPI(), try TestIdentity.server.get(), bodyLimits, body)
        }
    }

    private func serving(
        _ api: TestAPI, _ identity: ServerIdentity?, _ bodyLimits: RequestBodyReader.Limits,
        _ body: @Sendable @escaping (_ port: Int) async throws -> Void
    ) async throws {
        try await api.test.registry.load()
        var responder = HTTPResponder(handler: api.handler, date: HTTPDate())
        responder.bodyLimits = bodyLimits
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let http = try HTTPService(
            address: .v4(0x7F00_0001),
            port: 0,
            // Nothing is closed for being idle.
            idleTimeout: .seconds(3600),
            responder: responder,
            listener: SecureListener(identity, logger: logger),
            logger: logger
        ) {
            port.yield($0)
        }
        let listening = AsyncStream<Never> { $0.finish() }
        let registry = RegistryService(registry: api.test.registry, listening: listening) {}
        let group = ServiceGroup(configuration: .init(services: [registry, http], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                let port = try #require(await ports.first { _ in true })
                try await body(port)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private func post(_ path: String, _ body: String, fields: String = "") -> String {
        """
        POST \(path) HTTP/1.1\r
        Host: localhost\r
        Content-Type: application/json\r
        Content-Length: \(body.utf8.count)\r
        \(fields)\r
        \(body)
        """
    }

    private func chunked(_ body: String, coding: String = "chunked") -> String {
        "POST /api/v1/services HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + "Transfer-Encoding: \(coding)\r\n\r\n\(body)"
    }

    private let orders = #"{"id":"a","name":"orders","ip":"10.0.0.1","port":80}"#

    @Test func `requests on one connection are answered in their order`() async throws {
        let requests =
            post("/api/v1/services", orders) + post("/api/v1/services", orders)
            + "PUT /api/v1/services/a/heartbeat HTTP/1.1\r\nHost: localhost\r\n\r\n"
            + "DELETE /api/v1/services/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
            + "GET /api/v1/services/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try await serving { port in
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send(requests)
                for status in [201, 200, 200, 204, 404] {
                    let response = try #require(try await client.receive())
                    #expect(response.status == status)
                    #expect(response.head.contains("Date: "))
                    #expect(response.head.contains("Content-Length: ") == (status != 204))
                }
            }
        }
    }

    @Test func `HEAD answers what GET would, without a body`() async throws {
        try await serving { port in
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send(
                    "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                let head = try #require(try await client.receive(hasBody: false))
                let get = try #require(try await client.receive())
                #expect(head.status == 200)
                #expect(get.body == #"{"status":"alive"}\#n"#)
                #expect(head.head.contains("Content-Length: \(get.body.utf8.count)"))
            }
        }
    }

    @Test func `a body over its limit gets an answer that the client can read`() async throws {
        let size = 1024 * 1024 + 1
        let head = post("/api/v1/services", "").replacing("Content-Length: 0", with: "Content-Length: \(size)")
        try await serving { port in
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send(head)
                try await client.send(ByteBuffer(repeating: 0x20, count: size))
                let response = try #require(try await client.receive())
                #expect(response.status == 413)
                #expect(response.head.contains("application/problem+json"))
                #expect(response.head.lowercased().contains("connection: close"))
                #expect(try await client.receive() == nil)
            }
        }
    }

    @Test func `a body in chunks is counted too`() async throws {
        let head =
            "POST /api/v1/services HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        let orders = orders
        try await serving { port in
            try await TestHTTPClient.connected(to: port) { client in
                let (first, second) = (orders.prefix(10), orders.dropFirst(10))
                try await client.send("\(head)\(String(first.utf8.count, radix: 16))\r\n\(first)\r\n")
                try await client.send("\(String(second.utf8.count, radix: 16))\r\n\(second)\r\n0\r\n\r\n")
                #expect(try await client.receive()?.status == 201)
                try await client.send(head + "200000\r\n")
                try await client.send(ByteBuffer(repeating: 0x20, count: 0x20_0000))
                try await client.send("\r\n0\r\n\r\n")
                #expect(try await client.receive()?.status == 413)
            }
        }
    }

    @Test func `a client that asks first is told to go on`() async throws {
        let request = post("/api/v1/services", orders, fields: "Expect: 100-continue\r\n")
        let (head, body) = (request.dropLast(orders.utf8.count), orders)
        try await serving { port in
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send(String(head))
                #expect(try await client.receive()?.status == 100)
                try await client.send(body)
                #expect(try await client.receive()?.status == 201)
            }
        }
    }

    @Test func `a wrong request with a body leaves the connection usable`() async throws {
        let requests =
            post("/nowhere", orders) + post("/api/v1/names", orders)
            + post("/api/v1/services", orders).replacing("application/json", with: "text/plain")
            + post("/api/v1/services", "{") + post("/api/v1/services", orders)
        try await serving { port in
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send(requests)
                for status in [404, 405, 415, 400, 201] {
                    #expect(try await client.receive()?.status == status)
                }
            }
        }
    }

    @Test(arguments: [
        "\r\n\r\n\0", "GET / HTTP/9.9\r\n\r\n", "GET\r\n\r\n", "GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ])
    func `what is not HTTP ends its own connection alone`(text: String) async throws {
        try await serving { port in
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send(text)
                if let response = try await client.receive() { #expect(response.status == 400) }
            }
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try await client.receive()?.status == 200)
            }
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `the server stops though clients are idle or in the middle of a request`() async throws {
        let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let texts = [get, get + post("/api/v1/services", orders).dropLast(5)]
        let clients = Mutex<[Task<Bool, any Error>]>([])
        try await serving { port in
            for text in texts {
                let (answered, signal) = AsyncStream.makeStream(of: Void.self)
                let client = Task {
                    try await TestHTTPClient.connected(to: port) { client in
                        try await client.send(text)
                        #expect(try await client.receive()?.status == 200)
                        signal.finish()
                        // The server closes the connection without answering an incomplete request.
                        return try await client.receive() == nil
                    }
                }
                for await _ in answered {}
                clients.withLock { $0.append(client) }
            }
        }
        for client in clients.withLock({ $0 }) { #expect(try await client.value) }
    }

    @Test func `an offer of another protocol is ignored, and the connection goes on`() async throws {
        let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
        let offers = [
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n",
            "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n", "Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n",
        ]
        let first = offers.flatMap { [health + $0 + "\r\n", post("/api/v1/services", orders, fields: $0)] }
        let (health2, post2) = (health + "\r\n", post("/api/v1/services", orders))
        try await serving { port in
            for request in first {
                for isPipelined in [true, false] {
                    try await TestHTTPClient.connected(to: port) { client in
                        let requests = [request, post2, health2]
                        if isPipelined { try await client.send(requests.joined()) }
                        for request in requests {
                            if !isPipelined { try await client.send(request) }
                            let status = try await client.receive()?.status
                            #expect(status == 200 || status == 201)
                        }
                    }
                }
            }
        }
    }

    @Test func `a tunnel is refused, and ends the connection`() async throws {
        let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try await serving { port in
            for target in ["example.com:443", "/"] {
                let text = "CONNECT \(target) HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
                try await TestHTTPClient.connected(to: port) { client in
                    try await client.send(text + get)
                    let response = try #require(try await client.receive())
                    #expect(response.status == 405 && response.head.contains("Connection: close"))
                    #expect(response.head.contains("application/problem+json"))
                    #expect(try await client.receive() == nil)
                }
            }
        }
    }

    @Test func `HTTP of version 1.0 has one answer, and needs no Host`() async throws {
        let json = "POST /api/v1/services HTTP/1.0\r\nContent-Type: application/json\r\n"
        let cases: [(String, Int)] = [
            ("GET /healthz HTTP/1.0\r\n\r\n", 200),
            ("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200),
            ("GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421),
            ("\(json)Content-Length: \(orders.utf8.count)\r\n\r\n\(orders)", 201),
            ("\(json)Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ]
        try await serving { port in
            for (text, status) in cases {
                try await TestHTTPClient.connected(to: port) { client in
                    try await client.send(text + "GET /healthz HTTP/1.0\r\n\r\n")
                    let response = try #require(try await client.receive())
                    #expect(response.status == status && response.head.contains("Connection: close"), "\(text)")
                    #expect(try await client.receive() == nil)
                }
            }
        }
    }

    @Test(arguments: [
        "Connection: close", "Connection: Close", "connection: keep-alive, CLOSE", "Connection: te,close",
    ])
    func `a client that wants no more gets no more`(field: String) async throws {
        try await serving { port in
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n\r\n")
                #expect(try await client.receive()?.head.contains("Connection: close") == true)
                #expect(try await client.receive() == nil)
            }
        }
    }

    @Test func `every answer says that it is what it is, and every error is a problem document`() async throws {
        let requests: [(String, Int)] = [
            ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
            ("GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
            ("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            ("GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n", 421),
            ("GET /healthz HTTP/1.1\r\n\r\n", 400),
            ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
            ("DELETE /api/v1/services/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
            ("DELETE /api/v1/services/a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", 403),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nbroken\r\n\r\n", 400),
            ("G=T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 400),
            ("GET /\(String(repeating: "a", count: 100_000)) HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "a", count: 20_000))\r\n\r\n", 431),
            (post("/api/v1/services", orders, fields: "Content-Encoding: gzip\r\n"), 415),
            (post("/api/v1/services", orders, fields: "Content-Encoding: identity\r\nContent-Encoding: br\r\n"), 415),
            (post("/api/v1/services", orders, fields: "Content-Type: text/plain\r\n"), 415),
            (chunked("2;a=\(String(repeating: "b", count: 3_000_000))\r\n{}\r\n0\r\n\r\n"), 400),
            (chunked("\(String(repeating: "0", count: 3_000_000))2\r\n{}\r\n0\r\n\r\n"), 400),
            (chunked("zz\r\n"), 400), (chunked("2\r\n{}zz"), 400), (chunked("fffffffffffffffff\r\n"), 400),
            (chunked("2\r\n{}\r\n0\r\n\(String(repeating: "X: y\r\n", count: 200))\r\n"), 431),
            (String(repeating: "\r\n", count: 100_000) + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
            (chunked("2\r\n{}\r\n0\r\n\r\n", coding: "gzip, chunked"), 501),
            (chunked("2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n"), 422),
            (post("/api/v1/services", orders, fields: "Content-Encoding: identity\r\n"), 201),
        ]
        try await serving { port in
            for (request, status) in requests {
                try await TestHTTPClient.connected(to: port) { client in
                    try await client.send(request)
                    let response = try #require(try await client.receive())
                    #expect(response.status == status, "\(request.prefix(100)): \(response.body)")
                    #expect(response.head.contains("X-Content-Type-Options: nosniff"))
                    #expect(response.head.contains("application/problem+json") == (status >= 400))
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a body that does not come within its time ends the connection`() async throws {
        var limits = RequestBodyReader.Limits()
        limits.time = .milliseconds(100)
        let texts = [post("/api/v1/services", orders), post("/nowhere", orders)].map { String($0.dropLast(5)) }
        let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try await serving(bodyLimits: limits) { port in
            for text in texts {
                try await TestHTTPClient.connected(to: port) { client in
                    try await client.send(text)
                    while try await client.receive() != nil {}
                }
            }
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send(get)
                #expect(try await client.receive()?.status == 200)
            }
        }
    }

    @Test func `a backup may come for longer than a body, piece by piece, but not fall silent`() async throws {
        var limits = RequestBodyReader.Limits()
        limits.time = .milliseconds(1)
        limits.silence = .milliseconds(500)
        let octets = BackupText.of([.test(1), .test(2)]).octets
        let head =
            "POST /api/v1/restore?merge=true HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            + "Content-Length: \(octets.count)\r\n\r\n"
        try await serving(bodyLimits: limits) { port in
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send(head)
                try await client.send(ByteBuffer(bytes: octets.dropLast(1)))
                // The server closes the connection, and nothing is changed.
                while try await client.receive() != nil {}
            }
            try await TestHTTPClient.connected(to: port) { client in
                try await client.send("GET /api/v1/services HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try await client.receive()?.body.contains(#"{"services":[],"#) == true)
                try await client.send(head)
                for piece in stride(from: 0, to: octets.count, by: 100) {
                    try await client.send(ByteBuffer(bytes: octets[piece..<min(piece + 100, octets.count)]))
                }
                #expect(try await client.receive()?.body == #"{"instances":2,"replaced":0,"policies":0}"# + "\n")
            }
        }
    }

    @Test func `an address in use is one clear line`() async throws {
        let api = api
        try await serving { port in
            let second = try HTTPService(
                address: .v4(0x7F00_0001),
                port: UInt16(port),
                responder: HTTPResponder(handler: api.handler, date: HTTPDate()),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) { _ in }
            let error = await #expect(throws: StartError.self) { try await second.run() }
            #expect(error?.description == "server.listen: cannot listen on 127.0.0.1:\(port): Address already in use")
        }
    }
}
