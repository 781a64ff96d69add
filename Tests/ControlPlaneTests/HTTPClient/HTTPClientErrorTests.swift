import Glibc
import Testing

@testable import ControlPlane

/// Servers that fail, and requests that can't be sent.
@Suite(.timeLimit(.minutes(1))) struct HTTPClientErrorTests {
    private let client: HTTPClient

    init() throws {
        client = try HTTPClient()
    }

    /// The error of a request.
    private func error(of request: HTTPClientRequest) async -> HTTPClientError? {
        do throws(HTTPClientError) {
            let response = try await client.send(request)
            Issue.record("status \(response.status)")
            return nil
        } catch {
            #expect(error.reason.utf8.allSatisfy { (0x20...0x7E).contains($0) } && !error.reason.isEmpty)
            return error
        }
    }

    /// The error when a server answers a request with this text and closes.
    private func error(answer: String, maximumBodyOctets: Int = 1000) async throws -> HTTPClientError? {
        let server = try ScriptedServer { connection in
            if connection.readRequest() != nil { connection.write(answer) }
        }
        return await error(of: HTTPClientRequest(url: server.url(), maximumBodyOctets: maximumBodyOctets))
    }

    @Test func `a port where nobody listens can't be connected to`() async throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let port = try ScriptedServer.listen(descriptor, backlog: 1)
        close(descriptor)
        let error = try #require(await error(of: HTTPClientRequest(url: "http://127.0.0.1:\(port)")))
        #expect(error.kind == .cannotConnect)
        #expect(!error.mayHaveBeenSent)
        #expect(error.description.hasPrefix("cannot connect: Failed to connect to 127.0.0.1 port \(port)"))
    }

    @Test func `a name without an address can't be connected to`() async throws {
        // RFC 6761 §6.4: never resolves.
        let request = HTTPClientRequest(
            url: "http://host.invalid/", timeout: .seconds(30), connectTimeout: .seconds(30))
        let error = await error(of: request)
        #expect(error?.kind == .cannotConnect)
        #expect(error?.mayHaveBeenSent == false)
    }

    @Test func `a connection that is not accepted times out unsent`() async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let port = try ScriptedServer.listen(listener, backlog: 0)
        // If the queue is full, the kernel drops new connections.
        let fillers = (0..<4).map { _ in connectWithoutWaiting(to: port) }
        defer { for descriptor in fillers + [listener] { close(descriptor) } }
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)", connectTimeout: .milliseconds(200))
        let error = await error(of: request)
        #expect(error?.kind == .timedOut)
        #expect(error?.mayHaveBeenSent == false)
    }

    private func connectWithoutWaiting(to port: Int) -> Int32 {
        let flags = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let descriptor = socket(AF_INET, Int32(flags), 0)
        LoopbackAddress(port: port).connect(descriptor)
        return descriptor
    }

    @Test func `a server that does not answer times out`() async throws {
        let server = try ScriptedServer { $0.waitForEnd() }
        let error = await error(of: HTTPClientRequest(url: server.url(), timeout: .milliseconds(100)))
        #expect(error?.kind == .timedOut)
        #expect(error?.mayHaveBeenSent == true)
    }

    @Test func `a response that never ends times out`() async throws {
        let server = try ScriptedServer { connection in
            connection.beginChunks()
            connection.waitForEnd()
        }
        let error = await error(of: HTTPClientRequest(url: server.url(), timeout: .milliseconds(100)))
        #expect(error?.kind == .timedOut)
    }

    @Test func `a request that gets no connection times out unsent`() async throws {
        let arrived = Signal()
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            arrived.send()
            connection.waitForEnd()
        }
        let client = try HTTPClient(limits: .init(maximumConnections: 1))
        let request = HTTPClientRequest(url: server.url(), timeout: nil)
        let first = Task { try await client.send(request) }
        await arrived.wait()
        let second = HTTPClientRequest(url: server.url(), timeout: .milliseconds(100))
        await #expect(
            throws: HTTPClientError(
                kind: .timedOut, reason: "no connection was free in time", mayHaveBeenSent: false)
        ) { try await client.send(second) }
        first.cancel()
        #expect(await first.result.failure?.kind == .cancelled)
    }

    @Test func `a server that closes without an answer loses the connection`() async throws {
        let server = try ScriptedServer { _ = $0.readRequest() }
        let error = await error(of: HTTPClientRequest(url: server.url()))
        #expect(error?.kind == .connectionLost)
        #expect(error?.mayHaveBeenSent == true)
        #expect(server.connectionCount == 1)
    }

    @Test func `a POST is not repeated when a kept connection is lost`() async throws {
        let requests = Note(0)
        let server = try ScriptedServer { connection in
            // Each connection answers once, and closes when the next request arrives.
            while connection.readRequest() != nil {
                requests.change { $0 += 1 }
                if requests.value.isMultiple(of: 2) { return }
                connection.respond()
            }
        }
        #expect(try await client.send(HTTPClientRequest(url: server.url())).status == 200)
        let error = await error(of: HTTPClientRequest(url: server.url()))
        #expect(error?.kind == .connectionLost)
        #expect(error?.mayHaveBeenSent == true)
        #expect(requests.value == 2)
        // A GET is repeated.
        #expect(try await client.send(HTTPClientRequest(method: .get, url: server.url())).status == 200)
        #expect(try await client.send(HTTPClientRequest(method: .get, url: server.url())).status == 200)
        #expect(requests.value == 5)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ])
    func `a response cut short loses the connection`(answer: String) async throws {
        let error = try await error(answer: answer)
        #expect(error?.kind == .connectionLost)
        #expect(error?.mayHaveBeenSent == true)
    }

    @Test(arguments: [
        "garbage\r\n\r\n", "\0\u{1}\u{2}\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 xyz\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
    ])
    func `what is not HTTP is an error`(answer: String) async throws {
        let error = try await error(answer: answer)
        #expect([.invalidResponse, .tooLarge, .connectionLost].contains(error?.kind))
        #expect(error?.mayHaveBeenSent == true)
    }

    @Test(arguments: 0..<32) func `random octets do no harm`(seed: Int) async throws {
        var random = SystemRandomNumberGenerator()
        let prefixes = [
            "", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ]
        let octets = Array(prefixes[seed % 4].utf8) + (0..<2000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let server = try ScriptedServer { connection in
            if connection.readRequest() != nil { connection.write(octets) }
        }
        // By chance it may be a valid response.
        let response = try? await client.send(HTTPClientRequest(url: server.url(), maximumBodyOctets: 1000))
        #expect(response?.body.count ?? 0 <= 1000)
    }

    @Test func `a body larger than it may be is refused`() async throws {
        let body = String(repeating: "x", count: 1001)
        let long = try await error(answer: "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n\(body)")
        #expect(long?.description == "response too large: a body of more than 1000 octets")
        let error = try await error(answer: "HTTP/1.1 500 No\r\n\r\n\(body)")
        #expect(error?.kind == .tooLarge)
    }

    @Test func `a body without end is refused`() async throws {
        let server = try ScriptedServer { connection in
            connection.beginChunks()
            while connection.writeChunk(String(repeating: "x", count: 10_000)) {}
        }
        let error = await error(of: HTTPClientRequest(url: server.url(), maximumBodyOctets: 100_000))
        #expect(error?.kind == .tooLarge)
    }

    @Test(arguments: ["A: b\r\n", "x", "\r\nHTTP/1.1 100 Continue\r\n"])
    func `a head without end is refused`(piece: String) async throws {
        let server = try ScriptedServer { connection in
            connection.write("HTTP/1.1 100 Continue\r\n")
            while connection.write(String(repeating: piece, count: 1000)) {}
        }
        let error = await error(of: HTTPClientRequest(url: server.url()))
        #expect(error?.kind == .tooLarge)
    }

    @Test(arguments: [
        "", "http", "http://", "http:///path", "ftp://host/", "file:///etc/passwd", "//host/", "http://user:pass@host/",
        "http://host/a b", "http://host/a\r\nb", "http://host/\u{e4}", "http://host\0/", "http://?a",
    ])
    func `a URL that is none is refused`(url: String) async throws {
        let error = await error(of: HTTPClientRequest(url: url))
        #expect(error?.kind == .invalidRequest)
        #expect(error?.mayHaveBeenSent == false)
    }

    @Test(arguments: ["http://host:99999/", "http://host:port/", "http://[::1/"])
    func `a URL that libcurl does not understand is refused`(url: String) async throws {
        let error = await error(of: HTTPClientRequest(url: url))
        #expect(error?.kind == .invalidRequest)
        #expect(error?.mayHaveBeenSent == false)
    }

    @Test(arguments: [
        ("", "a"), ("A b", "a"), ("A:", "a"), ("A\r\nB", "a"), ("A", "a\r\nB: c"), ("A", "a\nb"), ("A", "a\0b"),
        ("A", " a"), ("\u{e4}", "a"), ("Content-Length", "5"), ("transfer-encoding", "chunked"),
    ])
    func `a field that would break the request is refused`(name: String, value: String) async throws {
        let request = HTTPClientRequest(url: "http://127.0.0.1:1/", fields: [.init(name: name, value: value)])
        #expect(await error(of: request)?.kind == .invalidRequest)
    }

    @Test func `a body is sent with POST alone`() async throws {
        let request = HTTPClientRequest(method: .get, url: "http://127.0.0.1:1/", body: [1])
        #expect(await error(of: request)?.kind == .invalidRequest)
    }

    @Test func `requests beyond the limit are refused at once`() async throws {
        let arrived = Signal()
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            arrived.send()
            connection.waitForEnd()
        }
        let client = try HTTPClient(limits: .init(maximumRequests: 2))
        let request = HTTPClientRequest(url: server.url(), timeout: nil)
        let running = (0..<2).map { _ in Task { try await client.send(request) } }
        await arrived.wait(times: 2)
        await #expect(
            throws: HTTPClientError(kind: .overloaded, reason: "2 requests run or wait", mayHaveBeenSent: false)
        ) { try await client.send(request) }
        for task in running { task.cancel() }
        for task in running { #expect(await task.result.failure?.kind == .cancelled) }
        // Their places are free again.
        let last = Task { try await client.send(request) }
        await arrived.wait()
        last.cancel()
        #expect(await last.result.failure?.kind == .cancelled)
    }
}
