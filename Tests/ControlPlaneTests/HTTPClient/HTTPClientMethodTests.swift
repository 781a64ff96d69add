import Testing

@testable import ControlPlane

/// Methods besides GET and POST, bodies that are read while they are sent, and fields of responses.
@Suite(.timeLimit(.minutes(1))) struct HTTPClientMethodTests {
    private let client: HTTPClient

    init() throws {
        client = try HTTPClient()
    }

    /// A server that answers each request with its first line and body.
    private func echo() throws -> ScriptedServer {
        try ScriptedServer { connection in
            while let request = connection.readRequest() {
                let line = request.head.prefix { $0 != "\n" }
                connection.respond(200, Array("\(line) \(String(decoding: request.body, as: UTF8.self))".utf8))
            }
        }
    }

    @Test func `each method is sent as such, on one kept connection`() async throws {
        let server = try echo()
        for (method, body) in [
            (HTTPClientRequest.Method.put, "a"), (.patch, "b"), (.delete, ""), (.post, "c"), (.get, ""), (.put, ""),
        ] {
            let request = HTTPClientRequest(method: method, url: server.url("/x"), body: Array(body.utf8))
            let response = try await client.send(request)
            #expect(String(decoding: response.body, as: UTF8.self) == "\(method.rawValue) /x HTTP/1.1 \(body)")
        }
        #expect(server.connectionCount == 1)
    }

    @Test func `a body without a method that has one is refused`() async throws {
        for method in [HTTPClientRequest.Method.get, .head, .delete] {
            let request = HTTPClientRequest(method: method, url: "http://127.0.0.1:1/", body: [1])
            let upload = HTTPClientRequest(
                method: method, url: "http://127.0.0.1:1/", upload: HTTPClientUpload { _ in [] })
            for request in [request, upload] {
                await #expect { _ = try await client.send(request) } throws: { error in
                    (error as? HTTPClientError)?.kind == .invalidRequest
                }
            }
        }
    }

    /// Gives pieces one after the other.
    private func upload(_ pieces: [String], length: Int?, end: [UInt8]? = []) -> HTTPClientUpload {
        let number = Note(0)
        return HTTPClientUpload(length: length) { _ in
            let index = number.value
            number.change { $0 += 1 }
            return index < pieces.count ? Array(pieces[index].utf8) : end
        }
    }

    @Test func `an upload of a known length is read while it is sent`() async throws {
        let server = try echo()
        let pieces = (0..<100).map { "\($0 % 10)" + String(repeating: "x", count: 9999) }
        var request = HTTPClientRequest(method: .post, url: server.url())
        request.upload = upload(pieces, length: 1_000_000)
        let response = try await client.send(request)
        #expect(String(decoding: response.body, as: UTF8.self) == "POST / HTTP/1.1 \(pieces.joined())")
        // The next request has a body of its own.
        let next = try await client.send(HTTPClientRequest(method: .put, url: server.url(), body: Array("b".utf8)))
        #expect(String(decoding: next.body, as: UTF8.self) == "PUT / HTTP/1.1 b")
    }

    @Test func `an upload of unknown length is sent in chunks`() async throws {
        let sent = "5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
        let received = Note("")
        let server = try ScriptedServer { connection in
            guard let request = connection.readRequest(), request.head.contains("transfer-encoding: chunked") else {
                return
            }
            let body = connection.take(sent.utf8.count) ?? []
            received.change { $0 = String(decoding: body, as: UTF8.self) }
            connection.respond()
        }
        var request = HTTPClientRequest(method: .post, url: server.url())
        request.upload = upload(["first", "second"], length: nil)
        #expect(try await client.send(request).status == 200)
        #expect(received.value == sent)
    }

    @Test func `an upload that can't go on ends the request`() async throws {
        let server = try echo()
        let request = HTTPClientRequest(
            method: .post, url: server.url(), upload: upload(["first"], length: nil, end: nil))
        await #expect(throws: HTTPClientError.self) { try await client.send(request) }
    }

    @Test func `wanted fields of a response are there`() async throws {
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil {
                connection.write("HTTP/1.1 200 OK\r\nX-Registry-Index: 17\r\nContent-Length: 0\r\n\r\n")
            }
        }
        var request = HTTPClientRequest(method: .get, url: server.url())
        #expect(try await client.send(request).fields.isEmpty)
        request.wantedFields = ["X-Registry-Index", "Retry-After"]
        let response = try await client.send(request)
        #expect(response.field("X-Registry-Index") == "17" && response.fields.count == 1)
    }

    @Test func `a stream that falls silent ends`() async throws {
        let ended = Signal()
        let server = try ScriptedServer.sendingFirstChunk(then: ended)
        let request = HTTPClientRequest(
            method: .get, url: server.url(), timeout: nil, silenceTimeout: .seconds(1))
        await #expect {
            _ = try await client.stream(request) { _ in true }
        } throws: { error in
            (error as? HTTPClientError)?.kind == .timedOut
        }
    }
}
