import Foundation
import Testing

extension ServerTests {
    /// SIGTERM and SIGINT: the server accepts no more, answers what it has received, and exits with 0 within 5 seconds.
    @Suite struct ShutdownTests {
        @Test(arguments: [SIGTERM, SIGINT])
        func `a signal ends an idle server with 0 at once`(signal: Int32) throws {
            let server = try ServerProcess()
            let start = ContinuousClock.now
            try server.stop(signal)
            #expect(start.duration(to: .now) < .seconds(2))
            #expect(server.logLines.last?.hasSuffix("stopped") == true)
            #expect(throws: SocketError.self) { try HTTPConnection(server.rest) }
            #expect(throws: SocketError.self) { try DNSClient(server.dns[0], .tcp) }
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func `clients that sit on their connections do not keep the server from ending`(signal: Int32) throws {
            let server = try ServerProcess(["dns.workers": "2"])
            let idle = try (0..<4).map { _ in try HTTPConnection(server.rest) }
            for connection in idle { #expect(try connection.request("GET", "/healthz").status == 200) }
            let halfHead = try HTTPConnection(server.rest)
            try halfHead.send(raw: "POST /api/v1/services HTTP/1.1\r\nHost: local")
            let halfBody = try HTTPConnection(server.rest)
            try halfBody.send(
                raw: "POST /api/v1/services HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Content-Length: 100\r\n\r\n{\"name\":"
            )
            let idleDNS = try DNSClient(server.dns[0], .tcp)
            #expect(try idleDNS.ask("service.kong", .soa).code == .noError)
            let halfDNS = try DNSClient(server.dns[0], .tcp)
            try halfDNS.socket.send([0, 40, 1, 2, 3])

            try server.stop(signal)
            for connection in idle { #expect(try connection.isClosedByServer()) }
            #expect(try halfHead.isClosedByServer() || halfHead.receive().status < 500)
            #expect(try halfBody.isClosedByServer() || halfBody.receive().status < 500)
            try idleDNS.socket.waitForEnd()
            try halfDNS.socket.waitForEnd()
        }

        @Test func `queries that were received before the signal are answered`() throws {
            let server = try ServerProcess(["dns.workers": "2"])
            try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
            let clients = try (0..<4).map { _ in try DNSClient(server.dns[0]) }
            let tcp = try DNSClient(server.dns[0], .tcp)
            #expect(try tcp.ask("orders.service.kong").texts == ["10.0.0.1"])
            for id in 1...UInt16(50) {
                for client in clients { try client.send(DNSMessage.query("orders.service.kong", .a, id: id)) }
                try tcp.send(DNSMessage.query("orders.service.kong", .a, id: id))
            }
            try tcp.socket.send([0, 40, 1, 2, 3])
            try server.stop()
            for client in clients + [tcp] {
                let replies = try (0..<50).map { _ in try client.receive() }
                #expect(Set(replies.map(\.id)) == Set(1...50))
                #expect(replies.allSatisfy { $0.texts == ["10.0.0.1"] })
            }
        }

        @Test func `a query at any time around the signal is answered or refused`() throws {
            let server = try ServerProcess(["dns.workers": "2"])
            try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
            func isAnswered() throws -> Bool {
                do {
                    return try server.ask("orders.service.kong").texts == ["10.0.0.1"]
                } catch let error as SocketError where error.code == ECONNREFUSED {
                    return false
                }
            }
            for _ in 0..<50 { #expect(try isAnswered()) }
            server.process.signal(SIGTERM)
            while try isAnswered() {}
            for _ in 0..<50 { #expect(try !isAnswered()) }
            #expect(try server.process.waitForExit(within: 5) == .exited(0))
        }

        @Test func `a request whose body is still coming when the signal comes is answered`() throws {
            let server = try ServerProcess()
            let connection = try HTTPConnection(server.rest)
            #expect(try connection.request("GET", "/healthz").status == 200)
            let body = json(Registration("orders", "10.0.0.1"))
            try connection.send(
                raw: "POST /api/v1/services HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Expect: 100-continue\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            )
            // Now the server is known to be in the middle of the request.
            #expect(try connection.receive().status == 100)
            server.process.signal(SIGTERM)
            try HTTPConnection.waitUntilRefused(server.rest)
            try connection.send(raw: body)
            #expect(try connection.receive().status == 201)
            #expect(try server.process.waitForExit(within: 5) == .exited(0))
        }

        @Test func `a second signal while the server ends changes nothing`() throws {
            let server = try ServerProcess()
            let half = try HTTPConnection(server.rest)
            try half.send(raw: "GET / HTTP/1.1\r\n")
            server.process.signal(SIGTERM)
            try HTTPConnection.waitUntilRefused(server.rest)
            server.process.signal(SIGTERM)
            server.process.signal(SIGHUP)
            try server.stop(SIGINT)
        }

        @Test func `requests under way at the signal are answered wholly or not at all`() async throws {
            let server = try ServerProcess(["dns.workers": "2"])
            let rest = server.rest
            try await withThrowingTaskGroup(of: Int.self) { group in
                for client in 0..<8 {
                    group.addTask {
                        var answered = 0
                        do {
                            let connection = try HTTPConnection(rest)
                            while true {
                                let body = json(Registration("s\(client)-\(answered)", "10.0.0.1"))
                                let response = try connection.request("POST", "/api/v1/services", body)
                                #expect([201, 503].contains(response.status), "\(response.text)")
                                answered += 1
                            }
                        } catch let failure as HTTPConnection.Failure {
                            // It was closed, which is allowed between two responses.
                            #expect(failure.description.hasSuffix("so far: "))
                        } catch is SocketError {
                            // It was reset or refused, which is the same.
                        }
                        return answered
                    }
                }
                // The server is not stopped before all clients are at work.
                let watcher = try HTTPConnection(rest)
                struct Status: Decodable {
                    struct Instances: Decodable { var total: Int }
                    var instances: Instances
                }
                while try watcher.request("GET", "/api/v1/status").decoded(as: Status.self).instances.total < 50 {}
                try server.stop()
                let answered = try await group.reduce(0, +)
                #expect(answered >= 50)
            }
        }
    }
}

extension HTTPConnection {
    /// Waits until nobody accepts connections any more.
    static func waitUntilRefused(_ endpoint: Endpoint) throws {
        while (try? HTTPConnection(endpoint)) != nil {}
    }
}
