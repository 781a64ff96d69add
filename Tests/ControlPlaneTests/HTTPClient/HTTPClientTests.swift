import Foundation
import Testing

@testable import ControlPlane

/// Requests and responses that succeed.
@Suite(.timeLimit(.minutes(1))) struct HTTPClientTests {
    private let client: HTTPClient

    init() throws {
        client = try HTTPClient()
    }

    @Test func `a POST carries its fields and body and brings the response`() async throws {
        let heads = Note<[String]>([])
        let server = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            heads.change { $0.append(request.head) }
            connection.respond(201, request.body.reversed())
        }
        let request = HTTPClientRequest(
            url: server.url("/v3/kv/range?a=b"),
            fields: [.init(name: "Content-Type", value: "application/json"), .init(name: "X-Empty", value: "")],
            body: [1, 2, 0, 3])
        #expect(try await client.send(request) == HTTPClientResponse(status: 201, body: [3, 0, 2, 1]))
        let lines = try #require(heads.value.first).split(separator: "\n")
        #expect(lines.first == "POST /v3/kv/range?a=b HTTP/1.1")
        #expect(
            lines.dropFirst().sorted() == [
                "accept: */*", "content-length: 4", "content-type: application/json",
                "host: 127.0.0.1:\(server.port)", "x-empty:",
            ])
    }

    @Test func `methods may take turns on a connection`() async throws {
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() {
                let isHead = request.head.hasPrefix("HEAD")
                let body = Array("\(request.head.prefix { $0 != " " }) \(request.body.count)".utf8)
                connection.write(
                    Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + (isHead ? [] : body))
            }
        }
        let methods: [(HTTPClientRequest.Method, [UInt8], String)] = [
            (.post, [1, 2], "POST 2"), (.get, [], "GET 0"), (.head, [], ""), (.post, [], "POST 0"), (.head, [], ""),
            (.get, [], "GET 0"), (.post, [3], "POST 1"),
        ]
        for (method, body, answer) in methods {
            let response = try await client.send(HTTPClientRequest(method: method, url: server.url(), body: body))
            #expect(String(decoding: response.body, as: UTF8.self) == answer)
        }
        #expect(server.connectionCount == 1)
    }

    @Test func `large bodies go both ways`() async throws {
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() { connection.respond(200, request.body) }
        }
        let body = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for _ in 0..<3 {
            #expect(try await client.send(HTTPClientRequest(url: server.url(), body: body)).body == body)
        }
        #expect(server.connectionCount == 1)
    }

    @Test(arguments: [204, 301, 404, 500]) func `any status is a response`(status: Int) async throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            let length = status == 204 ? "" : "Content-Length: 2\r\n"
            connection.write("HTTP/1.1 \(status) Text\r\n\(length)Location: /elsewhere\r\n\r\n")
            if status != 204 { connection.write("no") }
            // If the client followed the redirect, it would get an answer.
            if connection.readRequest() != nil { connection.respond(299) }
        }
        let response = try await client.send(HTTPClientRequest(url: server.url()))
        #expect(response == HTTPClientResponse(status: status, body: status == 204 ? [] : Array("no".utf8)))
    }

    @Test func `interim responses are skipped`() async throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n")
            connection.respond(200, [7])
        }
        let statuses = Note<[Int]>([])
        let pieces = Note<[UInt8]>([])
        let response = try await client.stream(HTTPClientRequest(url: server.url())) { status in
            statuses.change { $0.append(status) }
        } onOctets: { piece in
            pieces.change { $0 += piece }
            return true
        }
        #expect(response == HTTPClientResponse(status: 200))
        #expect(statuses.value == [200])
        #expect(pieces.value == [7])
    }

    @Test func `connections are used again`() async throws {
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() { connection.respond(200, request.body) }
        }
        for number in 0..<100 {
            let body = Array("\(number)".utf8)
            #expect(try await client.send(HTTPClientRequest(url: server.url(), body: body)).body == body)
        }
        #expect(server.connectionCount == 1)
    }

    @Test func `a connection that the server closed while idle is replaced`() async throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        for _ in 0..<5 {
            #expect(try await client.send(HTTPClientRequest(url: server.url())).status == 200)
        }
        #expect(server.connectionCount == 5)
    }

    @Test func `a host has no more connections than it may`() async throws {
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() { connection.respond(200, request.body) }
        }
        let client = try HTTPClient(limits: .init(maximumConnectionsPerHost: 3))
        let url = server.url()
        let answers = try await withThrowingTaskGroup(of: Bool.self) { tasks in
            for number in 0..<300 {
                tasks.addTask {
                    let body = Array("\(number)".utf8)
                    return try await client.send(HTTPClientRequest(url: url, body: body)).body == body
                }
            }
            return try await tasks.reduce(into: 0) { count, isRight in count += isRight ? 1 : 0 }
        }
        #expect(answers == 300)
        #expect((1...3).contains(server.connectionCount))
    }

    @Test func `a host at its limit does not hold up another`() async throws {
        let arrived = Signal()
        let stuck = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            arrived.send()
            connection.waitForEnd()
        }
        let quick = try ScriptedServer { connection in
            while connection.readRequest() != nil { connection.respond() }
        }
        let client = try HTTPClient(limits: .init(maximumConnectionsPerHost: 1))
        let waiting = (0..<3).map { _ in
            let request = HTTPClientRequest(url: stuck.url(), timeout: nil)
            return Task { try await client.send(request) }
        }
        await arrived.wait()
        for _ in 0..<3 {
            #expect(try await client.send(HTTPClientRequest(url: quick.url())).status == 200)
        }
        for task in waiting {
            task.cancel()
            #expect(await task.result.failure?.kind == .cancelled)
        }
    }

    @Test func `an idle connection makes way for another host`() async throws {
        let client = try HTTPClient(limits: .init(maximumConnections: 1))
        let servers = try (0..<3).map { _ in
            try ScriptedServer { connection in
                while connection.readRequest() != nil { connection.respond() }
            }
        }
        for _ in 0..<3 {
            for server in servers {
                #expect(try await client.send(HTTPClientRequest(url: server.url())).status == 200)
            }
        }
        #expect(servers.map(\.connectionCount) == [3, 3, 3])
    }

    @Test func `when a kept connection has swallowed a request no other of that age is used again`() async throws {
        let connections = Note(0)
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            if connection.number <= 3 {
                connections.change { $0 += 1 }
                // All three requests are under way at once, so that three connections are kept. Later ones get no
                // answer.
                while connections.value < 3 { usleep(1000) }
                connection.respond()
                connection.waitForEnd()
            } else {
                repeat { connection.respond() } while connection.readRequest() != nil
            }
        }
        let client = try HTTPClient()
        defer { client.shutdown() }
        let request = HTTPClientRequest(url: server.url(), timeout: .seconds(20))
        async let first = client.send(request)
        async let second = client.send(request)
        async let third = client.send(request)
        #expect(try await [first.status, second.status, third.status] == [200, 200, 200])
        var hasty = request
        hasty.timeout = .milliseconds(300)
        await #expect(throws: HTTPClientError.self) { try await client.send(hasty) }
        // Both at once, and after ages are counted in seconds.
        for _ in 0..<40 {
            #expect(try await client.send(request).status == 200)
            usleep(100_000)
        }
        #expect(server.connectionCount >= 4)
    }
}

extension Result {
    /// The error, if it is one of the client's.
    var failure: HTTPClientError? {
        if case .failure(let error) = self { error as? HTTPClientError } else { nil }
    }
}
