import Foundation
import Testing

extension ServerTests {
    /// What `GET /api/v1/explain` and `kong-discovery explain` tell.
    @Suite struct ExplainTests {
        private struct Explanation: Decodable {
            struct Record: Decodable {
                var section: String
                var type: String
                var data: String
            }
            struct Worker: Decodable {
                var worker: Int
                var first: String?
            }
            struct Cached: Decodable {
                var code: String
                var ageSeconds: Int
                var ttlSeconds: Int
                var stale: Bool
            }
            struct Answer: Decodable {
                var type: String
                var code: String?
                var source: String
                var why: String
                var truncatedOverUdp: Bool
                var recordCount: Int?
                var records: [Record]
                var workers: [Worker]
                var cache: Cached?
                var failedAt: String?
                var recursionAllowed: Bool

                var data: [String] { records.filter { $0.section == "answer" }.map(\.data) }
            }
            struct Instance: Decodable {
                var id: String
                var ip: String
                var status: String
                var since: String?
                var answers: [String: String]
                var expiresAt: String?
            }
            struct Upstream: Decodable {
                var address: String
                var lastFailure: String?
            }
            var name: String
            var kind: String
            var answers: [Answer]
            var graceEndsAt: String?
            var instancesTotal: Int
            var instances: [Instance]
            var nearest: [String]
            var upstreams: [Upstream]

            func answer(_ type: String) throws -> Answer { try #require(answers.first { $0.type == type }) }

            /// Why instances are in the answer for a type or not, by the last part of their addresses.
            func reasons(_ type: String) -> [String: String] {
                Dictionary(
                    uniqueKeysWithValues: instances.map {
                        (String($0.ip.split(whereSeparator: { ".:".contains($0) }).last ?? ""), $0.answers[type] ?? "")
                    })
            }
        }

        private func explain(_ query: String, _ rest: HTTPConnection) throws -> Explanation {
            let response = try rest.request("GET", "/api/v1/explain?name=\(query)")
            try #require(response.status == 200, "\(response.text)")
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Explanation.self, from: Data(response.body))
        }

        private func report(_ status: String, of id: String, _ rest: HTTPConnection) throws {
            let body = #"{"status":"\#(status)","output":"no route"}"#
            #expect(try rest.request("PUT", "/api/v1/services/\(id)/checks/alive", body).status == 200)
        }

        @Test func `every instance of a service is answered, or left out for a reason`() async throws {
            // A check's status in the log looks like a level.
            try await withServer(["dns.workers": "2"], toleratesErrors: true) { server in
                let rest = try HTTPConnection(server.rest)
                try rest.register(Registration("web", "10.0.0.1", ttl: 300))
                let draining = try rest.register(Registration("web", "10.0.0.2"))
                try rest.patch(draining.id, #"{"draining":true}"#)
                let checked =
                    #"{"name":"web","ip":"10.0.0.3","port":80,"checks":[{"name":"alive","type":"ttl","ttl":"1h"}]}"#
                let critical = try rest.request("POST", "/api/v1/services", checked).decoded(as: ServerTests.Named.self)
                try report("critical", of: critical.id, rest)
                try rest.register(Registration("web", "10.0.0.4", priority: 1))
                try rest.register(Registration("web", "10.0.0.5", weight: 0))
                try rest.register(Registration("web", "fd00::6", tags: ["blue"]))
                // At the same place as one that is answered.
                let twin = try rest.register(Registration("web", "10.0.0.1", id: "twin"))
                try rest.patch(twin.id, #"{"draining":true}"#)

                let web = try explain("WEB.service.kong", rest)
                #expect(web.name == "web.service.kong" && web.kind == "service" && web.instancesTotal == 7)
                #expect(try web.answer("A").data == ["10.0.0.1"])
                #expect(try web.answer("AAAA").data == ["fd00::6"])
                #expect(try web.answer("SRV").recordCount == 2)
                let others = [
                    "2": "draining", "3": "critical", "4": "worse_priority", "5": "stands_by",
                ]
                let instances = web.instances.filter { $0.id != "twin" }
                var shown = web
                shown.instances = instances
                #expect(shown.reasons("A") == others.merging(["1": "answered", "6": "other_family"]) { $1 })
                #expect(shown.reasons("SRV") == others.merging(["1": "answered", "6": "answered"]) { $1 })
                #expect(shown.reasons("AAAA")["6"] == "answered")
                #expect(web.instances.first { $0.id == "twin" }?.answers["A"] == "draining")
                #expect(instances.filter { $0.since != nil }.map(\.id) == [critical.id])
                #expect(instances.filter { $0.expiresAt != nil }.map(\.ip) == ["10.0.0.1", "10.0.0.3"])

                let blue = try explain("blue.web.service.kong&type=aaaa", rest)
                #expect(blue.kind == "tag" && blue.instances.map(\.ip) == ["fd00::6"])
                #expect(blue.answers.map(\.type) == ["AAAA"])
                let tcp = try explain("_web._tcp.service.kong&type=SRV", rest)
                #expect(tcp.kind == "protocol" && tcp.instancesTotal == 7)
                let address = try explain("0a000001.addr.service.kong&type=A", rest)
                #expect(try address.answer("A").source == "address" && address.answer("A").data == ["10.0.0.1"])
            }
        }

        @Test(arguments: ["round_robin", "weighted"])
        func `it shows the next answer of each worker, and changes neither rotation nor counters`(
            strategy: String
        ) async throws {
            try await withServer(["dns.workers": "1", "dns.strategy": strategy]) { server in
                let rest = try HTTPConnection(server.rest)
                for (number, weight) in [(1, 10), (2, 20), (3, 40)] {
                    try rest.register(Registration("web", "10.0.0.\(number)", weight: weight))
                }
                for turn in 0..<7 {
                    for _ in 0..<2 {
                        let answer = try explain("web.service.kong&type=A", rest).answer("A")
                        #expect(try explain("web.service.kong&type=A", rest).answer("A").data == answer.data)
                        if turn % 2 == 0 { continue }
                        #expect(try server.ask("web.service.kong").texts == answer.data)
                    }
                }
                let status = try rest.request("GET", "/api/v1/status").text
                #expect(status.contains(#""udp_queries":6,"tcp_queries":0,"#), "\(status)")
                #expect(status.contains(#""answered":6,"#))
            }
        }

        @Test func `workers that begin with different records are told apart`() async throws {
            try await withServer(["dns.workers": "2"]) { server in
                let rest = try HTTPConnection(server.rest)
                for number in 1...3 { try rest.register(Registration("web", "10.0.0.\(number)")) }
                // One socket leads to one worker.
                _ = try server.ask("web.service.kong")
                let workers = try explain("web.service.kong&type=A", rest).answer("A").workers
                #expect(workers.map(\.worker) == [0, 1])
                #expect(Set(workers.map(\.first)) == ["10.0.0.1", "10.0.0.2"])
            }
        }

        @Test func `a name that does not exist comes with the nearest that do`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                for name in ["orders", "payments", "order-items"] {
                    try rest.register(Registration(name, "10.0.0.1", tags: ["blue"]))
                }
                let cases = [
                    ("odrers", ["orders"]), ("paymets", ["payments"]), ("ordres", ["orders"]), ("zzz", []),
                    ("blu.orders", ["blue.orders"]), ("red.orders", ["orders"]), ("_orders._udp", ["_orders._tcp"]),
                    ("_order._tcp", ["_orders._tcp"]),
                ]
                for (asked, nearest) in cases {
                    let found = try explain("\(asked).service.kong&type=SRV", rest)
                    #expect(try found.answer("SRV").code == "NXDOMAIN" && found.instances.isEmpty)
                    #expect(found.nearest == nearest.map { "\($0).service.kong" }, "\(asked)")
                }
                // The domain was left out.
                #expect(try explain("orders", rest).nearest == ["orders.service.kong"])
            }
        }

        @Test func `a name whose last instance has just gone says until when it fails`() async throws {
            try await withServer(["dns.empty_grace": "1m"]) { server in
                let rest = try HTTPConnection(server.rest)
                let web = try rest.register(Registration("web", "10.0.0.1"))
                try rest.patch(web.id, #"{"draining":true}"#)
                let explanation = try explain("web.service.kong", rest)
                #expect(explanation.answers.allSatisfy { $0.code == "SERVFAIL" })
                #expect(explanation.graceEndsAt != nil && explanation.reasons("A") == ["1": "draining"])
                try rest.patch(web.id, #"{"draining":false}"#)
                #expect(try explain("web.service.kong", rest).graceEndsAt == nil)
            }
        }

        @Test func `names outside show cache, upstreams, failures and who may resolve them`() async throws {
            let upstream = try ServerProcess(["dns.domain": "upstream.test", "dns.workers": "1"])
            try HTTPConnection(upstream.rest).register(Registration("db", "192.0.2.1", dnsTTL: 60))
            let keys = [
                "dns.upstream.servers": "\(upstream.dns[0])", "dns.workers": "2", "dns.upstream.timeout": "300ms",
            ]
            try await withServer(keys) { server in
                let rest = try HTTPConnection(server.rest)
                let before = try explain("db.upstream.test", rest)
                #expect(before.kind == "outside" && before.answers.map(\.type) == ["A", "AAAA"])
                #expect(before.answers.allSatisfy { $0.source == "upstream" && $0.code == nil && $0.cache == nil })
                #expect(before.upstreams.map(\.address) == ["\(upstream.dns[0])"])
                #expect(try server.ask("db.upstream.test").texts == ["192.0.2.1"])
                let answer = try explain("DB.upstream.test&type=A", rest).answer("A")
                #expect(answer.source == "cache" && answer.code == "NOERROR" && answer.data == ["192.0.2.1"])
                let cached = try #require(answer.cache)
                #expect(!cached.stale && (50...60).contains(cached.ttlSeconds) && cached.ageSeconds <= 10)
                #expect((59...60).contains(cached.ttlSeconds + cached.ageSeconds))
                try upstream.stop()
                #expect(try server.ask("other.upstream.test").code == .serverFailure)
                let failed = try explain("other.upstream.test&type=A", rest)
                #expect(try failed.answer("A").failedAt != nil)
                #expect(failed.upstreams.first?.lastFailure != nil)
                let local = try explain("localhost&type=A", rest).answer("A")
                #expect(local.source == "special" && local.data == ["127.0.0.1"])
            }
            try await withServer(["dns.upstream.servers": "", "dns.recursion_allow": "10.0.0.0/8"]) { server in
                let answer = try explain("db.example", HTTPConnection(server.rest)).answer("A")
                #expect(answer.code == "REFUSED" && answer.source == "none" && !answer.recursionAllowed)
                #expect(answer.why.contains("dns.recursion_allow"))
            }
        }

        @Test(arguments: [
            ("", "name"), ("?name=", "name"), ("?name=a..b", "name"), ("?name=a%00b", "name"),
            ("?name=a.example&type=B", "type"), ("?name=a.example&type=", "type"), ("?name=a&nam=b", "nam"),
        ])
        func `a bad parameter is a 422 that names it`(query: String, field: String) async throws {
            try await withServer { server in
                let response = try HTTPConnection(server.rest).request("GET", "/api/v1/explain\(query)")
                #expect(response.status == 422)
                #expect(try response.decoded(as: Problem.self).errors?.map(\.field) == [field])
            }
        }

        @Test func `the command prints for people, and JSON for programs`() async throws {
            try await withServer(["dns.workers": "1"]) { server in
                let rest = try HTTPConnection(server.rest)
                for number in 1...2 {
                    try rest.register(Registration("web", "10.0.0.\(number)", port: 8080, id: "i\(number)"))
                }
                try rest.patch("i2", #"{"draining":true}"#)
                func run(_ arguments: String...) throws -> (ChildProcess.Status, String, String) {
                    let process = try ServerProcess.start(["explain"] + arguments)
                    return (try process.waitForExit(), process.output, process.errors)
                }
                let url = "http://\(server.rest)"
                let (status, output, errors) = try run("web.service.kong", "A", "--server", url)
                #expect(status == .exited(0) && errors.isEmpty)
                #expect(
                    output == """
                        web.service.kong (service), 2 instances

                        A  NOERROR: records of the zone
                            5 A 10.0.0.1

                        INSTANCE  ADDRESS        STATUS    A         EXPIRES
                        i1        10.0.0.1:8080  passing   answered  -
                        i2        10.0.0.2:8080  draining  draining  -

                        """)
                let json = try run("web.service.kong", "--json", "--server", url).1
                #expect(json.hasPrefix(#"{"name":"web.service.kong","kind":"service","service":"web""#))
                #expect(try run("wbe.service.kong", "--server", url).1.contains("did you mean web.service.kong?"))
                let bad = try run("a..b", "--server", url)
                #expect(bad.0 == .exited(1) && bad.1.isEmpty && bad.2.contains("name is not a domain name"))
                #expect(bad.2.split(separator: "\n").count == 1)
                let nobody = try run("web.service.kong", "--server", "http://127.0.0.1:1")
                #expect(nobody.0 == .exited(1) && nobody.2.contains("http://127.0.0.1:1: cannot connect"))
            }
        }
    }

    /// An instance's id.
    struct Named: Decodable {
        var id: String
    }
}
