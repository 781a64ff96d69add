import Foundation
import Testing

extension TimedTests {
    /// With `on_empty: last_known` a name without a healthy instance answers what it had last.
    @Suite struct LastKnownTests {
        private struct Explanation: Decodable {
            struct Term: Decodable {
                var since: String
                var until: String
            }
            struct Answer: Decodable { var why: String }
            struct Note: Decodable, Equatable {
                var source: String
                var since: String?
                var until: String?
            }
            struct Instance: Decodable {
                var id: String
                var status: String
                var answers: [String: String]
                var notes: [Note]
            }
            var answers: [Answer]
            var lastKnown: Term?
            var instances: [Instance]
        }
        private struct Status: Decodable { var lastKnownNames: Int }
        private struct Released: Decodable { var released: Int }

        private static let settings = [
            "dns.on_empty": "last_known", "dns.empty_grace": "0s", "heartbeat.cleanup_interval": "100ms",
            "dns.workers": "2",
        ]

        private func decoded<Value: Decodable>(_ rest: HTTPConnection, _ path: String) throws -> Value {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Value.self, from: Data(rest.request("GET", path).body))
        }

        private func count(_ rest: HTTPConnection) throws -> Int {
            try decoded(rest, "/api/v1/status", as: Status.self).lastKnownNames
        }

        private func decoded<Value: Decodable>(
            _ rest: HTTPConnection, _ path: String, as: Value.Type
        ) throws -> Value { try decoded(rest, path) }

        private func expectGone(_ server: ServerProcess, at location: SourceLocation = #_sourceLocation) throws {
            for name in ["orders", "_orders._tcp", "blue.orders"] {
                #expect(
                    try server.ask("\(name).service.kong", .srv).code == .nameError, "\(name)", sourceLocation: location
                )
            }
        }

        /// An instance with a check that clients report.
        private func checked(_ number: Int, _ rest: HTTPConnection) throws {
            let body = """
                {"id":"c\(number)","name":"orders","ip":"10.0.0.\(number)","port":80,"ttl":0,"tags":["blue"],
                 "checks":[{"name":"alive","type":"ttl","ttl":"1h"}]}
                """
            #expect([200, 201].contains(try rest.request("POST", "/api/v1/services", body).status))
        }

        private func report(_ status: String, _ number: Int, _ rest: HTTPConnection) throws {
            let path = "/api/v1/services/c\(number)/checks/alive"
            #expect(try rest.request("PUT", path, #"{"status":"\#(status)"}"#).status == 200)
        }

        @Test(arguments: ["memory", "sqlite"])
        func `those that expired are answered until they are taken out or somebody is healthy`(storage: String)
            async throws
        {
            let folder = try TemporaryFolder()
            let own = ["storage.type": storage, "storage.sqlite.path": "\(folder.path)/registry.db"]
            try await withServer(Self.settings.merging(own) { $1 }) { server in
                let rest = try HTTPConnection(server.rest)
                func expire() throws {
                    for number in 1...4 {
                        try rest.register(
                            Registration("orders", "10.0.0.\(number)", id: "i\(number)", tags: ["blue"], ttl: 1))
                    }
                    try eventually("they expire") { try rest.request("GET", "/api/v1/services/i4").status == 404 }
                    try eventually("all of them") {
                        try rest.request("GET", "/api/v1/services?limit=1").text.contains("[]")
                    }
                }
                func answered(_ name: String = "orders") throws -> Set<String> {
                    Set(try server.ask("\(name).service.kong").texts)
                }
                try expire()
                let all = Set((1...4).map { "10.0.0.\($0)" })
                #expect(try answered() == all && answered("blue.orders") == all)
                #expect(try server.ask("_orders._tcp.service.kong", .srv).answers.count == 4)
                // In rotation as usual.
                #expect(Set(try (0..<8).map { _ in try server.ask("orders.service.kong").texts.first }).count == 4)
                let told = try server.ask("orders.service.kong", payload: 1232)
                #expect(told.additional.map(\.text) == ["000f00020003"] && told.code == .noError)
                #expect(try server.ask("orders.service.kong").additional.isEmpty)
                #expect(try count(rest) == 3)
                try server.waitForLog("names answer their last known instances")

                let explanation: Explanation = try decoded(rest, "/api/v1/explain?name=orders.service.kong&type=A")
                #expect(explanation.answers.first?.why == "no instance is healthy: the last known ones (dns.on_empty)")
                let term = try #require(explanation.lastKnown)
                #expect(term.since < term.until && explanation.instances.count == 4)
                for instance in explanation.instances {
                    #expect(instance.status == "expired" && instance.answers == ["A": "last_known"])
                    #expect(
                        instance.notes == [
                            Explanation.Note(source: "last_known", since: term.since, until: term.until)
                        ])
                }

                // Its owner takes it out too late, or drains its host.
                #expect(try rest.request("DELETE", "/api/v1/services/i1").status == 404)
                #expect(try answered() == all.subtracting(["10.0.0.1"]))
                let drained = try rest.request("POST", "/api/v1/services/drain", #"{"ip":"10.0.0.2"}"#)
                #expect(drained.status == 200)
                #expect(try answered() == ["10.0.0.3", "10.0.0.4"])
                let released: Released = try rest.request("POST", "/api/v1/names/orders/release").decoded()
                #expect(released.released == 2)
                try expectGone(server)
                #expect(try count(rest) == 0)
                try server.waitForLog("names no longer answer their last known instances")

                // A healthy one ends it at once, and only for names that it has.
                try expire()
                #expect(try answered() == all)
                let healthy = try rest.register(Registration("orders", "10.0.0.9"))
                #expect(try answered() == ["10.0.0.9"] && answered("blue.orders") == all)
                // Where an expired one was, another one is now.
                try rest.register(Registration("users", "10.0.0.1"))
                #expect(try answered("blue.orders") == all.subtracting(["10.0.0.1"]))
                try rest.deregister(healthy.id)
                // The others went a short while before.
                #expect(try answered() == all.subtracting(["10.0.0.1"]))
                #expect(try rest.request("POST", "/api/v1/services/drain", #"{"name":"orders"}"#).status == 200)
                try expectGone(server)
            }
        }

        @Test func `critical ones are answered, also after a restart, until they pass or are drained`() async throws {
            let folder = try TemporaryFolder()
            let own = ["storage.type": "sqlite", "storage.sqlite.path": "\(folder.path)/registry.db"]
            let settings = Self.settings.merging(own) { $1 }
            let all: Set<String> = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
            try await withServer(settings, toleratesErrors: true) { server in
                let rest = try HTTPConnection(server.rest)
                for number in 1...3 { try checked(number, rest) }
                for number in 1...3 {
                    try report("critical", number, rest)
                    let left = Set((number + 1..<4).map { "10.0.0.\($0)" })
                    #expect(Set(try server.ask("orders.service.kong").texts) == (left.isEmpty ? all : left))
                }
                try report("passing", 2, rest)
                #expect(try server.ask("orders.service.kong").texts == ["10.0.0.2"])
                try report("critical", 2, rest)
                #expect(Set(try server.ask("orders.service.kong").texts) == all)
                // One of them expires; the others stay.
                try rest.patch("c3", #"{"draining":true}"#)
                #expect(Set(try server.ask("blue.orders.service.kong").texts) == ["10.0.0.1", "10.0.0.2"])
            }
            try await withServer(settings) { server in
                let rest = try HTTPConnection(server.rest)
                #expect(Set(try server.ask("orders.service.kong").texts) == ["10.0.0.1", "10.0.0.2"])
                #expect(try server.ask("_orders._tcp.service.kong", .srv).answers.count == 2 && count(rest) == 3)
                // A policy has it another way for a time.
                let path = "/api/v1/names/orders/policy"
                #expect(try rest.request("PUT", path, #"{"on_empty":"servfail"}"#).status == 200)
                #expect(try server.ask("orders.service.kong").code == .serverFailure && count(rest) == 0)
                #expect(try rest.request("PUT", path, #"{"on_empty":"last_known"}"#).status == 200)
                #expect(Set(try server.ask("orders.service.kong").texts) == ["10.0.0.1", "10.0.0.2"])
                #expect(try rest.request("DELETE", path).status == 204)
                #expect(Set(try server.ask("orders.service.kong").texts) == ["10.0.0.1", "10.0.0.2"])
                try rest.deregister("c1")
                #expect(try server.ask("orders.service.kong").texts == ["10.0.0.2"])
                try rest.patch("c2", #"{"draining":true}"#)
                try expectGone(server)
            }
        }

        @Test func `the grace time comes first`() async throws {
            try await withServer(Self.settings.merging(["dns.empty_grace": "400ms"]) { $1 }, toleratesErrors: true) {
                server in
                let rest = try HTTPConnection(server.rest)
                try checked(1, rest)
                let start = ContinuousClock.now
                try report("critical", 1, rest)
                try eventually("they are answered") {
                    let reply = try server.ask("orders.service.kong")
                    #expect(reply.code == .serverFailure || reply.texts == ["10.0.0.1"])
                    return reply.code == .noError
                }
                #expect(start.duration(to: .now) >= .milliseconds(400))
                try rest.deregister("c1")
                try expectGone(server)
            }
        }

        @Test func `two nodes see the same, and each ends it`() async throws {
            let etcd = try EtcdProcess.started()
            let settings = etcd.settings().merging(Self.settings) { $1 }
            try await withNodes([settings, settings], toleratesErrors: true) { nodes in
                let rests = try nodes.map { try HTTPConnection($0.rest) }
                for node in 0..<2 {
                    // Expired.
                    for number in 1...2 {
                        try rests[node].register(
                            Registration("orders", "10.0.0.\(number)", id: "i\(number)", tags: ["blue"], ttl: 2))
                    }
                    for each in nodes { try each.waitForAddresses("orders", ["10.0.0.1", "10.0.0.2"]) }
                    for (each, rest) in zip(nodes, rests) {
                        try eventually("they expire") {
                            #expect(try !each.ask("orders.service.kong").texts.isEmpty)
                            return try rest.request("GET", "/api/v1/services/i1").status == 404
                                && rest.request("GET", "/api/v1/services/i2").status == 404
                        }
                        #expect(Set(try each.ask("orders.service.kong").texts) == ["10.0.0.1", "10.0.0.2"])
                    }
                    // Critical, as the other node reports it; healthy ones end it on both.
                    try checked(3, rests[node])
                    for each in nodes { try each.waitForAddresses("orders", ["10.0.0.3"]) }
                    try report("critical", 3, rests[1 - node])
                    for (each, rest) in zip(nodes, rests) {
                        try eventually("both know") { try count(rest) == 3 }
                        #expect(try each.ask("orders.service.kong").texts.contains("10.0.0.3"))
                    }
                    // Taken out at one of them.
                    try rests[node].deregister("c3")
                    for (each, rest) in zip(nodes, rests) {
                        try eventually("it is taken out") {
                            try !each.ask("orders.service.kong").texts.contains("10.0.0.3")
                        }
                        _ = try rest.request("POST", "/api/v1/names/orders/release")
                        try expectGone(each)
                    }
                }
            }
        }

        @Test func `thousands die at once, while others register and are answered`() async throws {
            try await withServer(Self.settings.merging(["heartbeat.timeout": "1s"]) { $1 }) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("steady", "10.0.0.7"))
                let watch = try DNSWatch(server, ["steady": ["10.0.0.7"]])
                let others = Registrations("others", at: server)
                let registrations = (0..<5000).map {
                    Registration("s\($0)", "10.0.0.1", id: "i\($0)", tags: ["t"], ttl: 3)
                }
                _ = try rest.batch(register: registrations)
                try eventually(within: .seconds(60), "all have expired") { try count(rest) == 15_000 }
                for number in [0, 1, 2500, 4999] {
                    #expect(try server.ask("s\(number).service.kong").texts == ["10.0.0.1"])
                    #expect(try server.ask("t.s\(number).service.kong").texts == ["10.0.0.1"])
                }
                watch.stop()
                #expect(!others.stop().isEmpty)
                try server.waitForLog("more services have begun or ended to answer their last known instances")
                try server.expectWell()
            }
        }
    }
}
