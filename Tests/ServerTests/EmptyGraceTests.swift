import Foundation
import Testing

extension TimedTests {
    /// Names whose last healthy instance has gone a short while ago are SERVFAIL, whichever way it went.
    @Suite struct EmptyGraceTests {
        private static let names = ["orders", "_orders._tcp", "blue.orders"]

        /// A grace time that no test waits for.
        private static let long = "1h"

        private func expect(
            _ server: ServerProcess, _ code: ResponseCode, at location: SourceLocation = #_sourceLocation
        ) throws {
            for name in Self.names {
                for type in [RecordType.a, .aaaa, .srv] {
                    for transport in ClientSocket.Transport.allCases {
                        let reply = try server.ask("\(name).service.kong", type, over: transport)
                        #expect(
                            reply.code == code && reply.answers.isEmpty, "\(name) \(type)", sourceLocation: location)
                        #expect(
                            reply.authority.isEmpty == (code == .serverFailure), "\(name)", sourceLocation: location)
                    }
                }
            }
        }

        private func register(_ rest: HTTPConnection, ttl: Int = 0) throws -> String {
            try rest.register(Registration("orders", "10.0.0.1", tags: ["blue"], ttl: ttl)).id
        }

        @Test(arguments: ["memory", "sqlite"])
        func `an instance that deregisters, drains or expires leaves SERVFAIL`(storage: String) async throws {
            let folder = try TemporaryFolder()
            let settings = [
                "dns.empty_grace": Self.long, "storage.type": storage, "dns.workers": "2",
                "storage.sqlite.path": "\(folder.path)/registry.db", "heartbeat.cleanup_interval": "100ms",
            ]
            try await withServer(settings) { server in
                let rest = try HTTPConnection(server.rest)
                func expectAnswer() throws {
                    for name in Self.names {
                        #expect(try server.ask("\(name).service.kong", .srv).answers.count == 1)
                    }
                }
                try expect(server, .nameError)
                try rest.deregister(try register(rest))
                try expect(server, .serverFailure)
                // These names never existed, or the instance never had them: they are no failures.
                for name in ["nobody", "red.orders", "_orders._udp", "x.blue.orders"] {
                    #expect(try server.ask("\(name).service.kong").code == .nameError)
                }
                #expect(try server.ask("_tcp.service.kong").code == .noError)

                let id = try register(rest)
                try expectAnswer()
                try rest.patch(id, #"{"draining":true}"#)
                try expect(server, .serverFailure)
                try rest.patch(id, #"{"draining":false}"#)
                try expectAnswer()
                #expect(try rest.batch(deregister: [id]).map(\.status) == [204])
                try expect(server, .serverFailure)

                _ = try register(rest, ttl: 1)
                try eventually("it expires") { try server.ask("orders.service.kong").code != .noError }
                try expect(server, .serverFailure)
            }
            guard storage == "sqlite" else { return }
            // It is unknown which instances left before a start. A name without instances is like one that never
            // existed.
            try await withServer(settings) { server in
                try expect(server, .nameError)
                #expect(try server.ask("_tcp.service.kong").code == .nameError)
            }
        }

        @Test(arguments: [("nxdomain", ResponseCode.nameError), ("nodata", .noError), ("servfail", .serverFailure)])
        func `the grace time ends by itself`(onEmpty: String, code: ResponseCode) async throws {
            try await withServer(["dns.empty_grace": "300ms", "dns.on_empty": onEmpty]) { server in
                let rest = try HTTPConnection(server.rest)
                let id = try register(rest)
                let start = ContinuousClock.now
                try rest.patch(id, #"{"draining":true}"#)
                if code != .serverFailure {
                    try eventually("it ends") { try server.ask("orders.service.kong").code == code }
                    #expect(start.duration(to: .now) >= .milliseconds(300))
                    try eventually("for all names") { try server.ask("_orders._tcp.service.kong").code == code }
                    try eventually("for all names") { try server.ask("blue.orders.service.kong").code == code }
                }
                try expect(server, code)
                // Now the last instance leaves altogether, and its names end too.
                try rest.patch(id, #"{"draining":false}"#)
                try rest.deregister(id)
                try eventually("it ends") { try server.ask("orders.service.kong").code == .nameError }
                try eventually("for all names") { try server.ask("_tcp.service.kong").code == .nameError }
                try expect(server, .nameError)
            }
        }

        @Test func `a node sees others' instances go`() async throws {
            let etcd = try EtcdProcess.started()
            let settings = etcd.settings().merging(["dns.empty_grace": Self.long]) { $1 }
            try await withNodes([settings, settings]) { nodes in
                let (a, b) = (try HTTPConnection(nodes[0].rest), try HTTPConnection(nodes[1].rest))
                for rest in [a, b] {
                    let id = try register(a)
                    for node in nodes { try node.waitForAddresses("orders", ["10.0.0.1"]) }
                    try rest.deregister(id)
                    for node in nodes {
                        try eventually("it goes") { try node.ask("orders.service.kong").code != .noError }
                        try expect(node, .serverFailure)
                    }
                }
                let id = try register(b, ttl: 60)
                for node in nodes { try node.waitForAddresses("orders", ["10.0.0.1"]) }
                try a.patch(id, #"{"draining":true}"#)
                try eventually("it goes") { try nodes[1].ask("orders.service.kong").code != .noError }
                for node in nodes { try expect(node, .serverFailure) }
                try b.deregister(id)
                _ = try register(b, ttl: 2)
                // Otherwise a node that has not heard of it yet would seem to be one at which it has expired.
                for node in nodes { try node.waitForAddresses("orders", ["10.0.0.1"]) }
                for node in nodes {
                    try eventually("it expires") { try node.ask("orders.service.kong").code != .noError }
                    try expect(node, .serverFailure)
                }
            }
        }

        @Test func `many services end together`() async throws {
            try await withServer(["dns.empty_grace": "200ms"]) { server in
                let rest = try HTTPConnection(server.rest)
                let registrations = (0..<2000).map { Registration("s\($0)", "10.0.0.1", id: "i\($0)", tags: ["t"]) }
                _ = try rest.batch(register: registrations)
                _ = try rest.batch(deregister: registrations.compactMap(\.id))
                for number in [0, 1, 999, 1999] {
                    for name in ["s\(number)", "t.s\(number)", "_s\(number)._tcp"] {
                        try eventually("\(name) ends") { try server.ask("\(name).service.kong").code == .nameError }
                    }
                }
                try server.expectWell()
            }
        }
    }
}
