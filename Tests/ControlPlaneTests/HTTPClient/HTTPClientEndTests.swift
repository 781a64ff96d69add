import Glibc
import Testing

@testable import ControlPlane

/// Cancelling, finishing and shutting down at the same time: each request ends once, and nothing is left over. A
/// request that ended twice would trap.
@Suite(.timeLimit(.minutes(1))) struct HTTPClientEndTests {
    /// Answers at once.
    private func echo() throws -> ScriptedServer {
        try ScriptedServer { connection in
            while let request = connection.readRequest() { connection.respond(200, request.body) }
        }
    }

    /// Starts requests, some of them cancelled after a random number of turns.
    private func requests(_ count: Int, of client: HTTPClient, to url: String) -> [Task<Int, any Error>] {
        (0..<count).map { number in
            let task = Task {
                let body = Array("\(number)".utf8)
                let request = HTTPClientRequest(url: url, body: body, timeout: .seconds(30))
                if number.isMultiple(of: 3) {
                    return try await client.stream(request) { $0 == body }.status
                }
                let response = try await client.send(request)
                #expect(response.body == body)
                return response.status
            }
            if !number.isMultiple(of: 4) {
                let turns = Int.random(in: 0..<200)
                Task {
                    for _ in 0..<turns { await Task.yield() }
                    task.cancel()
                }
            }
            return task
        }
    }

    @Test func `many requests are cancelled while they end`() async throws {
        let server = try echo()
        let client = try HTTPClient()
        var counts = (succeeded: 0, cancelled: 0)
        for _ in 0..<5 {
            for (number, task) in requests(400, of: client, to: server.url()).enumerated() {
                switch await task.result {
                case .success(let status):
                    #expect(status == 200)
                    counts.succeeded += 1
                case .failure(let error):
                    #expect((error as? HTTPClientError)?.kind == .cancelled)
                    #expect(!number.isMultiple(of: 4), "was not cancelled")
                    counts.cancelled += 1
                }
            }
        }
        #expect(counts.succeeded + counts.cancelled == 2000)
        #expect(counts.succeeded >= 500)
        // All places are free again.
        let answers = (0..<100).map { _ in Task { try await client.send(HTTPClientRequest(url: server.url())).status } }
        for answer in answers { #expect(try await answer.value == 200) }
    }

    @Test(arguments: 0..<10) func `the client is shut down under load`(round: Int) async throws {
        let server = try echo()
        let client = try HTTPClient(limits: .init(maximumConnectionsPerHost: 8))
        let tasks = requests(300, of: client, to: server.url())
        let enders = (0..<3).map { _ in
            Task {
                for _ in 0..<Int.random(in: 0..<500) { await Task.yield() }
                client.shutdown()
            }
        }
        for task in tasks {
            let result = await task.result
            if case .failure = result { #expect(result.failure?.kind == .cancelled) }
        }
        for ender in enders { await ender.value }
        await #expect(throws: HTTPClientError.shutDown) { try await client.send(HTTPClientRequest(url: server.url())) }
    }

    @Test func `a client that is forgotten closes its connections`() async throws {
        let ended = Signal()
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil { connection.respond() }
            ended.send()
        }
        for _ in 0..<20 {
            let client = try HTTPClient()
            #expect(try await client.send(HTTPClientRequest(url: server.url())).status == 200)
        }
        await ended.wait(times: 20)
    }

    @Test func `a client may be shut down and forgotten by its own callback`() async throws {
        let ended = Signal()
        let server = try ScriptedServer.sendingFirstChunk(then: ended)
        for isShutDown in [true, false] {
            let request = HTTPClientRequest(url: server.url(), timeout: nil)
            let holder = Note<HTTPClient?>(try HTTPClient())
            let task = Task { [client = holder.value] in
                try await client?.stream(request) { _ in
                    // The task keeps it too, until the stream has ended.
                    if isShutDown { holder.value?.shutdown() }
                    holder.change { $0 = nil }
                    return isShutDown
                }.status
            }
            let result = await task.result
            if isShutDown {
                #expect(result.failure?.kind == .cancelled)
            } else {
                #expect(try result.get() == 200)
            }
            await ended.wait()
        }
    }

    @Test func `a callback may shut the client down while another thread waits for it`() async throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.beginChunks()
            connection.writeChunk("first")
            connection.waitForEnd()
        }
        let client = try HTTPClient()
        let (began, isWaiting) = (Signal(), Note(false))
        async let ending: Void = {
            await began.wait()
            isWaiting.change { $0 = true }
            client.shutdown()
        }()
        await #expect(throws: HTTPClientError.self) {
            try await client.stream(HTTPClientRequest(url: server.url(), timeout: nil)) { _ in
                began.send()
                while !isWaiting.value { sched_yield() }
                for _ in 0..<1000 {
                    client.shutdown()
                    sched_yield()
                }
                return true
            }
        }
        await ending
    }

    @Test func `the last reference may be dropped on the client's own thread`() async throws {
        let ended = Signal()
        let server = try ScriptedServer { connection in
            if connection.readRequest() != nil { connection.respond(200, [1]) }
            connection.waitForEnd()
            ended.send()
        }
        // Drops the client when the transfer is released.
        final class Dropper: Sendable {
            let holder: Note<HTTPClient?>
            init(_ holder: Note<HTTPClient?>) { self.holder = holder }
        }
        for _ in 0..<50 {
            let holder = Note<HTTPClient?>(try HTTPClient())
            let dropper = Dropper(holder)
            _ = try await holder.value?.stream(HTTPClientRequest(url: server.url())) { _ in
                dropper.holder.change { $0 = nil }
                return true
            }
        }
        await ended.wait(times: 50)
    }
}
