import Dispatch
import Testing

@testable import ControlPlane

/// Responses that take a long time.
@Suite(.timeLimit(.minutes(1))) struct HTTPClientStreamTests {
    private let client: HTTPClient

    init() throws {
        client = try HTTPClient()
    }

    @Test func `pieces are handed over as they come`() async throws {
        let next = DispatchSemaphore(value: 0)
        let server = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            connection.beginChunks()
            next.wait()
            // Send each only when the client has got the previous one.
            for number in 0..<5 {
                connection.writeChunk("\(String(decoding: request.body, as: UTF8.self)) \(number)")
                next.wait()
            }
            connection.writeChunk("")
        }
        let events = Note<[String]>([])
        let request = HTTPClientRequest(url: server.url(), body: Array("piece".utf8), timeout: nil)
        let response = try await client.stream(request) { status in
            events.change { $0.append("\(status)") }
            next.signal()
        } onOctets: { piece in
            events.change { $0.append(String(decoding: piece, as: UTF8.self)) }
            next.signal()
            return true
        }
        #expect(response == HTTPClientResponse(status: 200))
        #expect(events.value == ["200", "piece 0", "piece 1", "piece 2", "piece 3", "piece 4"])
    }

    @Test func `a stream may be longer than a body`() async throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.beginChunks()
            for _ in 0..<100 { connection.writeChunk(String(repeating: "x", count: 50_000)) }
            connection.writeChunk("")
        }
        let count = Note(0)
        let request = HTTPClientRequest(url: server.url(), maximumBodyOctets: 10)
        _ = try await client.stream(request) { piece in
            count.change { $0 += piece.count }
            return true
        }
        #expect(count.value == 5_000_000)
    }

    @Test func `the reader can end a stream`() async throws {
        let ended = Signal()
        let server = try ScriptedServer.sendingFirstChunk(then: ended)
        let count = Note(0)
        let response = try await client.stream(HTTPClientRequest(url: server.url(), timeout: nil)) { piece in
            count.change { $0 += 1 }
            return false
        }
        #expect(response == HTTPClientResponse(status: 200))
        #expect(count.value == 1)
        await ended.wait()
    }

    @Test func `another status than 2xx brings its body`() async throws {
        let server = try ScriptedServer { connection in
            if connection.readRequest() != nil { connection.respond(503, Array("not now".utf8)) }
        }
        let statuses = Note<[Int]>([])
        let response = try await client.stream(HTTPClientRequest(url: server.url())) { status in
            statuses.change { $0.append(status) }
        } onOctets: { _ in
            Issue.record("handed over")
            return true
        }
        #expect(response == HTTPClientResponse(status: 503, body: Array("not now".utf8)))
        #expect(statuses.value == [503])
    }

    @Test func `a cancelled task ends its stream and closes the connection`() async throws {
        let (began, ended) = (Signal(), Signal())
        let server = try ScriptedServer.sendingFirstChunk(then: ended)
        let client = client
        let request = HTTPClientRequest(url: server.url(), timeout: nil)
        let task = Task {
            try await client.stream(request) { _ in
                began.send()
                return true
            }
        }
        await began.wait()
        task.cancel()
        let error = await task.result.failure
        #expect(error?.kind == .cancelled)
        #expect(error?.mayHaveBeenSent == true)
        await ended.wait()
    }

    @Test func `a stream without an answer can be cancelled`() async throws {
        let arrived = Signal()
        let server = try ScriptedServer { connection in
            if connection.readRequest() != nil { arrived.send() }
            connection.waitForEnd()
        }
        let client = client
        let request = HTTPClientRequest(url: server.url(), timeout: nil)
        let task = Task { try await client.stream(request) { _ in true } }
        await arrived.wait()
        task.cancel()
        #expect(await task.result.failure?.kind == .cancelled)
    }

    @Test func `a task that is cancelled before it asks gets nothing sent`() async throws {
        let server = try ScriptedServer { _ in }
        let client = client
        let request = HTTPClientRequest(url: server.url(), timeout: nil)
        let error = await withTaskGroup(of: Result<HTTPClientResponse, HTTPClientError>.self) { tasks in
            tasks.cancelAll()
            tasks.addTask {
                do throws(HTTPClientError) { return .success(try await client.send(request)) } catch {
                    return .failure(error)
                }
            }
            return await tasks.next()?.failure
        }
        #expect(error?.kind == .cancelled)
        #expect(error?.mayHaveBeenSent == false)
        #expect(server.connectionCount == 0)
    }

    @Test func `a server that goes away ends the stream with an error`() async throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.beginChunks()
            connection.writeChunk("first")
        }
        let request = HTTPClientRequest(url: server.url(), timeout: nil)
        await #expect {
            try await client.stream(request) { _ in true }
        } throws: {
            ($0 as? HTTPClientError)?.kind == .connectionLost
        }
    }

    @Test func `streams and requests go side by side`() async throws {
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() {
                if request.head.hasPrefix("POST /watch") {
                    connection.beginChunks()
                    connection.writeChunk("first")
                    connection.waitForEnd()
                } else {
                    connection.respond(200, request.body)
                }
            }
        }
        let client = client
        let began = Signal()
        let watches = (0..<20).map { _ in
            let request = HTTPClientRequest(url: server.url("/watch"), timeout: nil)
            return Task {
                try await client.stream(request) { _ in
                    began.send()
                    return true
                }
            }
        }
        await began.wait(times: 20)
        for number in 0..<50 {
            let body = Array("\(number)".utf8)
            #expect(try await client.send(HTTPClientRequest(url: server.url(), body: body)).body == body)
        }
        #expect(server.connectionCount == 21)
        client.shutdown()
        for watch in watches { #expect(await watch.result.failure?.kind == .cancelled) }
    }
}
