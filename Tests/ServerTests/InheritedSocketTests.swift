import Foundation
import Synchronization
import Testing

extension ServerTests {
    /// Sockets that stay open while one server ends and the next one starts.
    @Suite struct InheritedSocketTests {
        @Test(arguments: [true, false])
        func `what arrives between two servers is answered by the second`(isStored: Bool) throws {
            let manager = try ServiceManager(isStored: isStored)
            try HTTPConnection(manager.rest).register(Registration("orders", "10.0.0.1"))
            try manager.stopServer()

            let clients = try (0..<8).map { _ in try DNSClient(manager.dns) }
            for client in clients { try client.send(DNSMessage.query("orders.service.kong", .a, id: 7)) }
            let tcp = try DNSClient(manager.dns, .tcp)
            try tcp.send(DNSMessage.query("orders.service.kong", .a, id: 7))
            let rest = try HTTPConnection(manager.rest)
            try rest.send("GET", "/api/v1/names")

            try manager.startServer()
            for client in clients + [tcp] { #expect(try client.receive().texts == ["10.0.0.1"]) }
            #expect(try rest.receive().status == 200)
        }

        @Test(arguments: [true, false])
        func `no query is lost while servers follow each other`(isStored: Bool) async throws {
            let manager = try ServiceManager(isStored: isStored)
            try HTTPConnection(manager.rest).register(Registration("orders", "10.0.0.1"))
            let end = TestEnd()
            try await withThrowingTaskGroup(of: Int.self) { tasks in
                for transport in [ClientSocket.Transport.udp, .udp, .tcp] {
                    tasks.addTask {
                        var count = 0
                        while !end.hasCome.load(ordering: .acquiring) {
                            let answer = try DNSClient(manager.dns, transport).ask("orders.service.kong")
                            #expect(answer.texts == ["10.0.0.1"])
                            count += 1
                        }
                        return count
                    }
                }
                do {
                    defer { end.hasCome.store(true, ordering: .releasing) }
                    for _ in 0..<10 {
                        try manager.stopServer()
                        try manager.startServer()
                    }
                }
                for try await count in tasks { #expect(count > 10) }
            }
        }

        @Test func `sockets of addresses that are no longer configured are no longer kept`() throws {
            let manager = try ServiceManager(isStored: true)
            let (dns, rest) = (manager.dns, manager.rest)
            try HTTPConnection(rest).register(Registration("orders", "10.0.0.1"))
            for _ in 0..<2 {
                try manager.stopServer()
                try manager.move()
                try manager.startServer()
                #expect(try DNSClient(manager.dns).ask("orders.service.kong").texts == ["10.0.0.1"])
                #expect(try HTTPConnection(manager.rest).request("GET", "/healthz").status == 200)
                #expect(throws: SocketError.self) { try HTTPConnection(rest) }
                #expect(throws: SocketError.self) { try DNSClient(dns, .tcp) }
                #expect(throws: SocketError.self) { try DNSClient(dns).ask("orders.service.kong") }
            }
            // What arrived in between is answered nevertheless.
            try manager.stopServer()
            let client = try DNSClient(manager.dns)
            try client.send(DNSMessage.query("orders.service.kong", .a, id: 7))
            try manager.startServer()
            #expect(try client.receive().texts == ["10.0.0.1"])
        }

        @Test func `the service manager is told what the server does`() throws {
            let manager = try ServiceManager(isStored: true)
            #expect(try manager.process.waitForErrors { $0.contains("told WATCHDOG") })
            manager.process.signal(SIGHUP)
            #expect(try manager.process.waitForErrors { $0.contains("told RELOADING MONOTONIC_USEC") })
            #expect(try manager.process.waitForErrors { $0.components(separatedBy: "told READY").count == 3 })
            try manager.stopServer()
            #expect(manager.process.errors.contains("told STOPPING"))
            // These are the sockets of DNS and of the REST API.
            #expect(manager.process.errors.components(separatedBy: "told FDSTORE FDNAME FDPOLL").count == 3)
        }

        @Test(arguments: [
            ("LISTEN_FDS=x", "LISTEN_FDS: 'x' is not a number from 0 to 4096"),
            ("LISTEN_FDS=1", "LISTEN_FDNAMES must name each of the 1 passed sockets, dns or rest"),
            ("LISTEN_FDS=2 LISTEN_FDNAMES=dns", "LISTEN_FDNAMES must name each of the 2 passed sockets"),
            ("LISTEN_FDS=1 LISTEN_FDNAMES=dns", "LISTEN_FDS: descriptor 3 (dns) is neither a UDP socket"),
        ])
        func `passed sockets that are not valid are refused`(variables: String, message: String) throws {
            let script = "LISTEN_PID=$$ \(variables) exec \"$0\" serve 3</dev/null"
            let process = try ChildProcess(
                "/bin/sh", ["-c", script, ServerProcess.path],
                environment: ["KONG_DISCOVERY_STORAGE_TYPE": "memory", "PATH": "/usr/bin:/bin"],
                folder: ServerProcess.temporaryFolder)
            #expect(try process.waitForExit() == .exited(1))
            #expect(process.errors.contains(message), "\(process.errors)")
        }

        @Test func `sockets that were meant for another process are left alone`() throws {
            let process = try ChildProcess(
                ServerProcess.path, ["serve"],
                environment: [
                    "LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "dns",
                    "KONG_DISCOVERY_STORAGE_TYPE": "memory", "KONG_DISCOVERY_DNS_LISTEN": "127.0.0.1:0",
                    "KONG_DISCOVERY_SERVER_LISTEN": "127.0.0.1:0",
                ],
                folder: ServerProcess.temporaryFolder)
            #expect(try process.waitForErrors { $0.contains(" ready") })
        }
    }
}

/// Whether the clients should stop.
private final class TestEnd: Sendable {
    let hasCome = Atomic(false)
}
