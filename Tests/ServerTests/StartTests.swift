import Foundation
import Testing

extension ServerTests {
    /// Reasons why the server can't start: there is one clear line that names the reason, exit status 1, and nothing
    /// half-started.
    @Suite struct StartTests {
        /// Starts a server that must not start.
        ///
        /// - Returns: the lines on standard error, without the name of the program.
        private func failingStart(
            _ settings: [String: String] = [:],
            file: String? = nil,
            at location: SourceLocation = #_sourceLocation
        ) throws -> [String] {
            let process = try ServerProcess.start(["serve"] + (file.map { ["--config", $0] } ?? []), settings)
            #expect(try process.waitForExit() == .exited(1), sourceLocation: location)
            #expect(process.output == "", sourceLocation: location)
            let prefix = "kong-discovery: error: "
            let lines = process.errors.split(separator: "\n")
            #expect(lines.allSatisfy { $0.hasPrefix(prefix) }, "\(lines)", sourceLocation: location)
            return lines.map { String($0.dropFirst(prefix.count)) }
        }

        @Test(arguments: ClientSocket.Transport.allCases)
        func `a DNS port that somebody has for one transport only is named`(
            transport: ClientSocket.Transport
        ) throws {
            let dns = try Endpoint.unused()
            let rest = try Endpoint.unused()
            let taken = try ClientSocket.bound(to: dns, transport)
            let lines = try failingStart(["dns.listen": "127.0.0.2:0,\(dns)", "server.listen": "\(rest)"])
            let name = transport == .udp ? "UDP" : "TCP"
            #expect(lines == ["dns.listen: cannot listen on \(dns) (\(name)): Address already in use"])
            #expect(throws: SocketError.self) { try HTTPConnection(rest) }
            withExtendedLifetime(taken) {}
        }

        @Test func `a REST port in use is named, and DNS has answered nothing`() throws {
            let dns = try Endpoint.unused()
            let rest = try Endpoint.unused()
            let taken = try ClientSocket.bound(to: rest, .tcp)
            let process = try ServerProcess.start(["serve"], ["dns.listen": "\(dns)", "server.listen": "\(rest)"])
            // Asks all the time while the server starts and ends again.
            let client = try DNSClient(dns)
            var answered = 0
            while !(try process.hasEnded()) {
                // The query is refused while nobody has the port.
                try? client.send(DNSMessage.query("service.kong", .soa))
                if client.socket.isReadable(within: 1), (try? client.receive()) != nil { answered += 1 }
            }
            #expect(answered == 0)
            #expect(try process.waitForExit() == .exited(1))
            #expect(
                process.errors.hasSuffix("error: server.listen: cannot listen on \(rest): Address already in use\n"))
            #expect(throws: SocketError.self) { try DNSClient(dns, .tcp) }
            withExtendedLifetime(taken) {}
        }

        @Test func `a second server on the ports of the first gives up, and takes no query from it`() async throws {
            let dns = try Endpoint.unused()
            try await withServer(["dns.listen": "\(dns)", "dns.workers": "2"]) { server in
                try HTTPConnection(server.rest).register(Registration("orders", "10.0.0.1"))
                let other = ["dns.listen": "\(dns)", "server.listen": "\(server.rest)"]
                for settings in [["dns.listen": "\(dns)"], other] {
                    let second = try ServerProcess.start(["serve"], settings)
                    while !(try second.hasEnded()) {
                        let reply = try server.ask("orders.service.kong")
                        try #require(reply.texts == ["10.0.0.1"])
                    }
                    #expect(try second.waitForExit() == .exited(1))
                    let line =
                        "kong-discovery: error: dns.listen: cannot listen on \(dns) (UDP): Address already in use\n"
                    #expect(second.errors == line)
                }
                let third = try failingStart(["server.listen": "\(server.rest)"])
                #expect(third == ["server.listen: cannot listen on \(server.rest): Address already in use"])
                #expect(try server.ask("orders.service.kong", over: .tcp).texts == ["10.0.0.1"])
            }
        }

        @Test func `an address of another machine is named`() throws {
            #expect(
                try failingStart(["dns.listen": "192.0.2.1:8600"]) == [
                    "dns.listen: cannot listen on 192.0.2.1:8600 (UDP): Cannot assign requested address"
                ]
            )
            #expect(
                try failingStart(["server.listen": "192.0.2.1:8080"]) == [
                    "server.listen: cannot listen on 192.0.2.1:8080: Cannot assign requested address"
                ]
            )
        }

        @Test func `every bad key of a file has its line`() throws {
            let folder = try TemporaryFolder()
            let file = try folder.write(
                "bad.yaml",
                """
                dns:
                  tttl: 5s
                  ttl: 0s
                  udp_payload: 511
                log: {level: loud}
                """
            )
            let lines = try failingStart(file: file)
            #expect(lines.count == 4)
            #expect(lines.first?.hasPrefix("\(file):2:3: dns.tttl: is not a known key") == true)
            #expect(lines.dropFirst(1).first?.hasPrefix("\(file):3:8: dns.ttl: '0s' is too small") == true)
            #expect(lines.dropFirst(2).first?.contains(":4:16: dns.udp_payload: ") == true)
            #expect(lines.dropFirst(2).first?.contains("is too small") == true)
            #expect(lines.dropFirst(3).first?.contains(":5:14: log.level: 'loud'") == true)
        }

        @Test(arguments: ["dns: [", "dns: 5", "- a", "dns: {ttl: 5s, ttl: 6s}", "\u{0}", "dns: {ttl: &a 5s}"])
        func `a file that is no configuration has one line with its name`(text: String) throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("bad.yaml", text)
            let lines = try failingStart(file: file)
            #expect(lines.count == 1 && lines.first?.hasPrefix(file) == true, "\(lines)")
        }

        @Test func `a file that can't be read has one line with its name`() throws {
            let folder = try TemporaryFolder()
            #expect(
                try failingStart(file: "\(folder.path)/none") == ["\(folder.path)/none: can't be read: no such file"])
            #expect(try failingStart(file: folder.path) == ["\(folder.path): can't be read: it is a directory"])
        }

        @Test func `if the log is JSON, so is the reason why the server does not start`() throws {
            let folder = try TemporaryFolder()
            let json = try folder.write("json.yaml", "log: {format: json}\n")
            let bad = try folder.write("bad.yaml", "dns: {tttl: 5s, ttl: 0s}\n")
            let taken = try ClientSocket.bound(to: try Endpoint.unused(), .tcp)
            let listen = ["server.listen": "192.0.2.1:80"]
            for (file, settings, count) in [
                (json, listen, 1), (bad, ["log.format": "json"], 2), (nil, ["log.format": "json", "dns.ttl": "x"], 1),
            ] {
                let process = try ServerProcess.start(["serve"] + (file.map { ["--config", $0] } ?? []), settings)
                #expect(try process.waitForExit() == .exited(1))
                let failures = try process.errors.split(separator: "\n").map {
                    try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
                }.filter { $0["level"] == "critical" }
                #expect(failures.count == count, "\(process.errors)")
                #expect(failures.allSatisfy { $0["message"]?.contains(": ") == true && $0["time"] != nil })
            }
            withExtendedLifetime(taken) {}
        }

        @Test func `without its list of arguments the program does nothing`() throws {
            let script = """
                import ctypes, sys
                ctypes.CDLL(None).execv(sys.argv[1].encode(), (ctypes.c_char_p * 1)(None))
                """
            let process = try Command.start(["python3", "-c", script, ServerProcess.path])
            #expect(try process.waitForExit() == .exited(1))
            #expect(process.errors == "kong-discovery: error: the program was started without its list of arguments\n")
        }

        @Test func `as many workers start as there are processors to run on`() async throws {
            var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("KONG_DISCOVERY_") }
            environment["KONG_DISCOVERY_DNS_LISTEN"] = "127.0.0.1:0"
            environment["KONG_DISCOVERY_SERVER_LISTEN"] = "127.0.0.1:0"
            environment["KONG_DISCOVERY_STORAGE_TYPE"] = "memory"
            let allowed = try Command.run("sh", "-c", "taskset -cp $$").split { !$0.isASCII || !$0.isWholeNumber }.last
            let process = try ChildProcess(
                "taskset", ["-c", String(try #require(allowed)), ServerProcess.path, "serve"], environment: environment,
                folder: ServerProcess.temporaryFolder)
            #expect(try process.waitForErrors { $0.hasSuffix(" ready\n") })
            let tasks = "/proc/\(process.identifier)/task"
            let names = try FileManager.default.contentsOfDirectory(atPath: tasks).map {
                try String(contentsOfFile: "\(tasks)/\($0)/comm", encoding: .utf8)
            }
            #expect(names.filter { $0.hasPrefix("dns-") } == ["dns-0\n"])
            process.signal(SIGTERM)
            #expect(try process.waitForExit() == .exited(0))
        }

        @Test func `workers ask for short turns, so that a query waits for no other thread`() throws {
            let server = try ServerProcess()
            let tasks = "/proc/\(server.process.identifier)/task"
            let turns = try FileManager.default.contentsOfDirectory(atPath: tasks).compactMap { task -> String? in
                guard try String(contentsOfFile: "\(tasks)/\(task)/comm", encoding: .utf8).hasPrefix("dns-") else {
                    return nil
                }
                // Only Linux 6.12 and later have turns, and only a kernel with CONFIG_SCHED_DEBUG has this file.
                let lines = (try? String(contentsOfFile: "\(tasks)/\(task)/sched", encoding: .utf8)) ?? ""
                return lines.split(separator: "\n").first { $0.hasPrefix("se.slice ") }
                    .flatMap { $0.split(separator: " ").last }.map(String.init)
            }
            #expect(Set(turns).isSubset(of: ["200000"]))
            try server.stop()
        }

        @Test func `a bad variable of the environment is named`() throws {
            #expect(
                try failingStart(["dns.strategy": "fair", "dns.tls": "x"]).map { $0.prefix { $0 != ":" } }
                    == ["KONG_DISCOVERY_DNS_STRATEGY", "KONG_DISCOVERY_DNS_TLS"]
            )
            let storage = try failingStart(["storage.type": "file"])
            #expect(storage.count == 1 && storage.first?.contains("storage.type") == true)
        }
    }
}
