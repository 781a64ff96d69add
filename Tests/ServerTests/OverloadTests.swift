import Glibc
import Testing

extension ServerTests {
    /// Clients that ask for much, read nothing, or only hold connections. Instances that are alive stay alive.
    @Suite struct OverloadTests {
        /// An instance with a ttl of 6 s, and its heartbeats, one a second over one connection.
        private struct Heart {
            let connection: HTTPConnection
            /// The time that the slowest heartbeat took.
            private(set) var slowest = Duration.zero

            init(_ server: ServerProcess) throws {
                connection = try HTTPConnection(server.rest)
                try connection.register(Registration("alive", "10.9.9.9", id: "alive", ttl: 6))
            }

            mutating func beat() throws {
                let start = ContinuousClock.now
                let response = try connection.request("PUT", "/api/v1/services/alive/heartbeat")
                try #require(response.status == 200, "\(response.text)")
                slowest = max(slowest, start.duration(to: .now))
            }
        }

        @Test(arguments: [12, 24])
        func `pages that are asked for and never read hold up no heartbeat`(clients: Int) async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                // Each character takes six octets in JSON, so a page of these would have 98 MB.
                let metadata = ["k": String(repeating: "\u{1}", count: 16 * 1024 - 1)]
                for batch in 0..<10 {
                    let instances = (0..<100).map {
                        Registration("big", "10.1.\(batch).\($0)", metadata: metadata)
                    }
                    #expect(try rest.batch(register: instances).count == 100)
                }
                var heart = try Heart(server)
                let readers = try (0..<clients).map { _ in try HTTPConnection(server.rest) }
                for reader in readers {
                    for _ in 0..<20 { try reader.send("GET", "/api/v1/services?limit=1000") }
                }
                for _ in 0..<8 {
                    try heart.beat()
                    #expect(try server.ask("alive.service.kong").texts == ["10.9.9.9"])
                    sleep(1)
                }
                // The ttl is 6 s. If each reader's page were written first, a heartbeat would take 14 s.
                #expect(heart.slowest < .seconds(1))
                let page = try readers[0].receive()
                #expect(page.status == 200 && page.body.count <= 1 << 20)
                #expect(try server.residentOctets() < 600 << 20)
            }
        }

        /// - Parameters:
        ///   - soft, hard: the limits of file descriptors.
        @Test(arguments: [(1024, 20_000, 1100), (20_000, 20_000, 4200), (700, 700, 1100)])
        func `connections that only sit there take nothing from others`(soft: Int, hard: Int, idle: Int) async throws {
            raiseDescriptorLimit()
            let settings = ["dns.tcp.idle_timeout": "60s"]
            try await withServer(settings, descriptors: (soft, hard)) { server in
                var heart = try Heart(server)
                let dns = try DNSClient(server.dns[0], .tcp)
                var sitting: [HTTPConnection] = []
                for number in 0..<idle {
                    sitting.append(try HTTPConnection(server.rest))
                    if number % 100 == 0 { try heart.beat() }
                }
                let worked = try server.processorTime()
                for _ in 0..<4 {
                    try heart.beat()
                    #expect(try server.ask("alive.service.kong").texts == ["10.9.9.9"])
                    #expect(try dns.ask("alive.service.kong").texts == ["10.9.9.9"])
                    #expect(try DNSClient(server.dns[0], .tcp).ask("alive.service.kong").texts == ["10.9.9.9"])
                    #expect(try HTTPConnection(server.rest).request("GET", "/healthz").status == 200)
                    sleep(1)
                }
                #expect(heart.slowest < .seconds(1))
                let open = try sitting.filter { try !($0.socket.isReadable() && $0.isClosedByServer()) }
                #expect(open.count <= 256)
                // If the server kept trying to accept connections, a processor would be busy for all of the 4 s.
                #expect(try server.processorTime() - worked < .seconds(2))
            }
        }

        @Test func `at the limit a connection without a request gives way, and one in use does not`() async throws {
            try await withServer(["server.max_connections": "3"]) { server in
                let used = try HTTPConnection(server.rest)
                #expect(try used.request("GET", "/healthz").status == 200)
                let silent = try HTTPConnection(server.rest)
                for _ in 0..<20 {
                    let others = try (0..<2).map { _ in try HTTPConnection(server.rest) }
                    // Both are new. It is unknown which of them was accepted first, and that one may have given way.
                    #expect(others.contains { (try? $0.request("GET", "/healthz").status) == 200 })
                    #expect(try used.request("GET", "/healthz").status == 200)
                }
                #expect(try silent.isClosedByServer())
                try server.waitForLog("connections give way")
            }
        }

        @Test func `limits that exceed the file descriptors are reported at the start`() async throws {
            try await withServer(descriptors: (512, 900)) { server in
                let lines = server.logLines
                #expect(lines.contains { $0.contains("file descriptors") && $0.contains("limit=900") })
                for key in ["server.max_connections", "dns.tcp.max_connections"] {
                    #expect(
                        lines.contains {
                            $0.contains(" warning ") && $0.contains("key=\(key) ") && $0.contains("configured=4096")
                        })
                }
            }
            let few = try ServerProcess.start(["serve"], descriptors: (32, 32))
            #expect(try few.waitForExit() == .exited(1))
            #expect(few.errors.contains("32 file descriptors are too few"))
        }
    }

    /// A log whose reader has stopped reading.
    @Suite struct StalledLogTests {
        /// A server that has logged more than fits into the pipe to its reader, which has not read yet.
        private func stalled() throws -> (ServerProcess, HTTPConnection) {
            let server = try ServerProcess([
                "log.level": "debug", "dns.workers": "1", "heartbeat.mass_expiry_brake": "1",
            ])
            let rest = try HTTPConnection(server.rest)
            for batch in 0..<4 {
                let instances = (0..<500).map {
                    Registration("orders-\(batch)", "10.\(batch).\($0 / 250).\($0 % 250)", ttl: 1)
                }
                #expect(try rest.batch(register: instances).count == 500)
            }
            // Each instance is one line.
            try eventually("all expire") {
                try rest.request("GET", "/api/v1/status").text.contains(#""instances":{"total":0,"#)
            }
            return (server, rest)
        }

        @Test func `a log reader that stalls stops nothing, and loses nothing below the limit`() throws {
            let (server, rest) = try stalled()
            for number in 0..<100 {
                let instance = try rest.register(Registration("late", "10.0.0.\(number)", ttl: 600))
                #expect(try rest.request("PUT", "/api/v1/services/\(instance.id)/heartbeat").status == 200)
            }
            #expect(try Set(server.ask("late.service.kong", .a, over: .tcp).texts).count == 100)
            try server.stop()
            #expect(server.logLines.count { $0.contains("instance expired") } == 2000)
            #expect(server.logLines.last?.hasSuffix("stopped") == true)
        }

        @Test func `a server whose log nobody reads ends in time`() throws {
            let (server, _) = try stalled()
            server.process.signal(SIGTERM)
            #expect(try server.process.waitForExitWithoutReading(within: 5) == .exited(0))
        }

        @Test func `a start that fails says why`() throws {
            let process = try ServerProcess.start(["serve"], ["server.listen": "192.0.2.1:80"])
            #expect(try process.waitForExit(within: 10) == .exited(1))
            #expect(process.errors.contains("server.listen: cannot listen on 192.0.2.1:80"))
        }
    }
}
