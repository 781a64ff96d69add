import Foundation
import Testing

extension TimedTests {
    /// Lists that wait for something new.
    @Suite struct LongPollTests {
        private func index(_ response: HTTPConnection.Response) throws -> Int {
            try #require(response.fields["x-registry-index"].flatMap { Int($0) }, "\(response.fields)")
        }

        @Test func `a list waits until something of it is new, and for nothing else`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let id = try rest.register(Registration("orders", "10.0.0.1", tags: ["blue"])).id
                let seen = try index(rest.request("GET", "/api/v1/services"))
                let waits = try [
                    "services?name=orders", "services?tag=blue", "services?status=draining", "names?limit=5",
                ]
                .map { list in
                    let connection = try HTTPConnection(server.rest)
                    try connection.send("GET", "/api/v1/\(list)&index=\(seen)&wait=10m")
                    return connection
                }
                // Nothing of these lists, but of others.
                try rest.patch(id, #"{"weight":5}"#)
                #expect(try waits[0].receive().text.contains(#""weight":5"#))
                #expect(try waits[1].receive().status == 200)
                #expect(!waits[2].socket.isReadable(within: 100) && !waits[3].socket.isReadable())
                try rest.register(Registration("users", "10.0.0.2"))
                #expect(try waits[3].receive().text.contains("users"))
                #expect(!waits[2].socket.isReadable(within: 100))
                try rest.patch(id, #"{"draining":true}"#)
                let last = try waits[2].receive()
                #expect(last.text.contains(id))
                #expect(try index(last) == seen + 3)
            }
        }

        @Test func `a list that is not new, or whose index is another server's, is answered at once`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("orders", "10.0.0.1"))
                let seen = try index(rest.request("GET", "/api/v1/names"))
                for index in ["0", "\(seen - 1)", "\(seen + 1)", "18446744073709551615"] {
                    #expect(try rest.request("GET", "/api/v1/services?index=\(index)&wait=10m").status == 200)
                }
                // At the end of the wait the same list.
                let list = try rest.request("GET", "/api/v1/services?index=\(seen)&wait=100ms")
                #expect(try list.status == 200 && index(list) == seen)
                #expect(try rest.request("GET", "/api/v1/services?index=\(seen)&wait=0s").status == 200)
                for (query, field) in [
                    ("index=-1", "index"), ("index=x", "index"), ("index=18446744073709551616", "index"),
                    ("index=1&wait=5", "wait"), ("index=1&wait=601s", "wait"), ("wait=5s", "wait"),
                ] {
                    for list in ["services", "names"] {
                        let response = try rest.request("GET", "/api/v1/\(list)?\(query)")
                        #expect(response.status == 422, "\(query)")
                        #expect(try response.decoded(as: Problem.self).errors?.map(\.field) == [field], "\(query)")
                    }
                }
            }
        }

        @Test func `a server that stops answers those who wait`() async throws {
            try await withServer { server in
                let waiting = try HTTPConnection(server.rest)
                try waiting.send("GET", "/api/v1/services?index=0&wait=10m")
                // It has arrived before what is sent afterwards is answered by the same thread or another: the answer
                // must come in either case.
                #expect(!waiting.socket.isReadable(within: 200))
                server.process.signal(SIGTERM)
                #expect(try waiting.receive().text == #"{"services":[],"next_cursor":null}"# + "\n")
            }
        }

        @Test func `no GET shows a change before DNS has it, nor is it shown at an index that is too high`()
            async throws
        {
            try await withServer(["dns.workers": "2"]) { server in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    let over = Countdown()
                    group.addTask {
                        defer { over.step() }
                        let rest = try HTTPConnection(server.rest)
                        for round in 1...150 {
                            try rest.register(Registration("orders", "10.0.0.\(round)", id: "mover"))
                        }
                    }
                    group.addTask {
                        let rest = try HTTPConnection(server.rest)
                        var last = 0
                        while !over.isOver {
                            let response = try rest.request("GET", "/api/v1/services/mover")
                            let seen = try index(response)
                            #expect(seen >= last)
                            last = seen
                            guard response.status == 200 else { continue }
                            let shown = try response.decoded(as: Instance.self)
                            let answer = try #require(try server.ask("orders.service.kong").texts.first)
                            let numbers = [shown.ip, answer].compactMap { Int($0.split(separator: ".")[3]) }
                            #expect(numbers[1] >= numbers[0])
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }
}
