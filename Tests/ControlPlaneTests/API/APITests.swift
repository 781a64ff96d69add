import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1
import Testing

@testable import ControlPlane

@Suite struct APITests {
    private let api = TestAPI()
    private let orders = #"{"name":"orders","ip":"10.0.0.1","port":80}"#

    private func running(_ body: () async throws -> Void) async throws {
        try await api.test.running(body)
    }

    @Test func `a registration answers 201 with its place, and 200 when it is repeated`() async throws {
        try await running {
            let first = try await api.send(.post, "/api/v1/services", orders)
            #expect(first.status == 201)
            let id = try #require(first["id"]?.text)
            #expect(first.fields[.location] == "/api/v1/services/\(id)")
            let again = try await api.send(.post, "/api/v1/services", orders)
            #expect(again.status == 200)
            #expect(again["id"]?.text == id)
            #expect(try await api.send(.get, "/api/v1/services/\(id)").json == again.json)
            #expect(api.test.zone.addresses("orders") == ["10.0.0.1"])
        }
    }

    @Test func `an instance is shown with all its fields, and can be registered as it is shown`() async throws {
        try await running {
            let body = #"""
                {"id":"a","name":"orders","ip":"2001:DB8::1","port":80,"protocol":"udp","tags":["v1"],"metadata":{"k":"\u0001"},
                 "weight":5,"priority":6,"ttl":60,"dns_ttl":9}
                """#
            let shown = try await api.send(.post, "/api/v1/services", body)
            #expect(shown.status == 201)
            let expected = #"""
                {"id":"a","name":"orders","ip":"2001:db8::1","port":80,"protocol":"udp","tags":["v1"],"metadata":{"k":"\u0001"},
                 "weight":5,"priority":6,"ttl":60,"dns_ttl":9,"checks":[],"status":"passing","registered_at":"2027-01-15T08:00:00.000Z",
                 "last_heartbeat":"2027-01-15T08:00:00.000Z","expires_at":"2027-01-15T08:01:00.000Z"}
                """#
            #expect(shown.json == (try JSONParser.parse(Array(expected.utf8))))
            #expect(try await api.send(.post, "/api/v1/services", expected).status == 200)
        }
    }

    @Test func `a permanent instance needs no heartbeat`() async throws {
        try await running {
            let body = #"{"id":"a","name":"orders","ip":"10.0.0.1","port":80,"ttl":0}"#
            #expect(try await api.send(.post, "/api/v1/services", body)["expires_at"] == .null)
            #expect(try await api.send(.put, "/api/v1/services/a/heartbeat")["expires_at"] == .null)
            api.test.clock.advance(by: .seconds(100_000_000))
            try await api.test.sweep()
            #expect(try await api.send(.get, "/api/v1/services/a").status == 200)
        }
    }

    @Test func `a bad registration changes nothing and names every bad field`() async throws {
        try await running {
            let answer = try await api.send(.post, "/api/v1/services", #"{"name":"-","ip":1,"port":"x","colour":1}"#)
            #expect(answer.status == 422)
            #expect(answer.contentType == "application/problem+json")
            #expect(answer["status"] == .integer(422))
            #expect(answer.badFields == ["name", "ip", "port", "colour"])
            #expect(try await api.send(.get, "/api/v1/services")["services"]?.elements.isEmpty == true)
        }
    }

    @Test func `what is not JSON, or does not say so, is refused`() async throws {
        try await running {
            let half = try await api.send(.post, "/api/v1/services", "{")
            #expect(half.status == 400)
            #expect(half["detail"]?.text == "not JSON: line 1, column 2: expected a member's name")
            #expect(try await api.send(.post, "/api/v1/services", "").status == 400)
            #expect(try await api.send(.post, "/api/v1/services", orders, contentType: nil).status == 415)
            #expect(try await api.send(.post, "/api/v1/services", orders, contentType: "text/json").status == 415)
            let type = "Application/JSON ; charset=utf-8"
            #expect(try await api.send(.post, "/api/v1/services", orders, contentType: type).status == 201)
        }
    }

    @Test func `a wrong method is told the right ones, a wrong path nothing`() async throws {
        let answer = try await api.send(.put, "/api/v1/services", orders)
        #expect(answer.status == 405)
        #expect(answer.fields[.allow] == "GET, HEAD, POST")
        #expect(try await api.send(.get, "/api/v1/services/a/heartbeat").fields[.allow] == "PUT")
        #expect(try await api.send(.get, "/nowhere").status == 404)
        #expect(try await api.send(.get, "/api/v1/status?x=1").badFields == ["x"])
    }

    @Test func `a change is made whole or not at all`() async throws {
        try await running {
            _ = try await api.send(.post, "/api/v1/services", #"{"id":"a","name":"orders","ip":"10.0.0.1","port":80}"#)
            let bad = try await api.send(.patch, "/api/v1/services/a", #"{"weight":7,"ip":"10.0.0.2"}"#)
            #expect(bad.status == 422)
            #expect(bad.badFields == ["ip"])
            #expect(try await api.send(.get, "/api/v1/services/a")["weight"] == .integer(100))
            let good = try await api.send(.patch, "/api/v1/services/a", #"{"weight":7,"draining":true}"#)
            #expect(good["weight"] == .integer(7))
            #expect(good["status"]?.text == "draining")
            #expect(try await api.send(.patch, "/api/v1/services/x", "{}").status == 404)
        }
    }

    @Test func `an instance is deleted once`() async throws {
        try await running {
            _ = try await api.send(.post, "/api/v1/services", #"{"id":"a","name":"orders","ip":"10.0.0.1","port":80}"#)
            #expect(try await api.send(.delete, "/api/v1/services/a").status == 204)
            #expect(api.test.zone.names.isEmpty)
            #expect(try await api.send(.delete, "/api/v1/services/a").status == 404)
            #expect(try await api.send(.get, "/api/v1/services/a").status == 404)
            #expect(try await api.send(.put, "/api/v1/services/a/heartbeat").status == 404)
        }
    }

    @Test func `a batch answers for each item in order, registered first`() async throws {
        try await running {
            let body = #"""
                {"deregister":["a","x"],
                 "register":[{"id":"a","name":"orders","ip":"10.0.0.1","port":80},{"name":"B_D"},
                             {"id":"b","name":"users","ip":"10.0.0.2","port":80}]}
                """#
            let answer = try await api.send(.post, "/api/v1/services/batch", body)
            #expect(answer.status == 200)
            let results = try #require(answer["results"]).elements
            #expect(results.map { $0.value(at: ["status"]) } == [201, 422, 201, 204, 404].map { .integer($0) })
            #expect(results.map { $0.value(at: ["id"])?.text } == ["a", nil, "b", "a", "x"])
            #expect(results[1].value(at: ["errors", "0", "field"])?.text == "name")
            #expect(api.test.zone.names == ["users", "_users._tcp"])
            #expect(api.test.zone.updates.count == 2)
        }
    }

    @Test func `an instance may have the id batch`() async throws {
        try await running {
            _ = try await api.send(
                .post, "/api/v1/services", #"{"id":"batch","name":"orders","ip":"10.0.0.1","port":80}"#)
            #expect(try await api.send(.get, "/api/v1/services/batch")["id"]?.text == "batch")
            #expect(try await api.send(.delete, "/api/v1/services/batch").status == 204)
        }
    }

    @Test func `many heartbeats count each id once`() async throws {
        try await running {
            _ = try await api.send(.post, "/api/v1/services", #"{"id":"a","name":"orders","ip":"10.0.0.1","port":80}"#)
            api.test.clock.advance(by: .seconds(5))
            let answer = try await api.send(.post, "/api/v1/heartbeats", #"{"ids":["a","x","a","x"]}"#)
            #expect(answer["renewed"] == .integer(1))
            #expect(answer["unknown"] == .array([.string("x")]))
            let shown = try await api.send(.get, "/api/v1/services/a")
            #expect(shown["last_heartbeat"]?.text == "2027-01-15T08:00:05.000Z")
            #expect(shown["expires_at"]?.text == "2027-01-15T08:00:35.000Z")
            let bad = try await api.send(.post, "/api/v1/heartbeats", #"{"ids":["a",1],"x":0}"#)
            #expect(bad.status == 422)
            #expect(try await api.send(.post, "/api/v1/heartbeats", "{}").badFields == ["ids"])
        }
    }

    @Test func `a list goes on where its cursor says`() async throws {
        try await running {
            for number in 0..<25 {
                let name = number % 2 == 0 ? "even" : "odd"
                let body =
                    #"{"id":"i\#(number)","name":"\#(name)","ip":"10.0.0.\#(number)","port":80,"tags":["t\#(number % 5)"]}"#
                #expect(try await api.send(.post, "/api/v1/services", body).status == 201)
            }
            var ids: [String] = []
            var path = "/api/v1/services?limit=10"
            while true {
                let page = try await api.send(.get, path)
                ids += try #require(page["services"]).elements.compactMap { $0.value(at: ["id"])?.text }
                guard let cursor = page["next_cursor"]?.text else { break }
                path = "/api/v1/services?limit=10&cursor=\(cursor)"
            }
            #expect(ids == (0..<25).map { "i\($0)" })
            let filtered = try await api.send(.get, "/api/v1/services?name=EVEN&tag=t0")
            #expect(filtered["services"]?.elements.count == 3)
            #expect(filtered["next_cursor"] == .null)
            // A page that is exactly full is the last one.
            #expect(try await api.send(.get, "/api/v1/services?limit=25")["next_cursor"] == .null)
            #expect(try await api.send(.get, "/api/v1/services?limit=0&status=x").badFields == ["limit", "status"])
        }
    }

    @Test func `names have pages, each name once, whatever comes and goes meanwhile`() async throws {
        try await running {
            for number in 10..<35 {
                let body = #"{"id":"i\#(number)","name":"s\#(number)","ip":"10.0.0.1","port":80}"#
                #expect(try await api.send(.post, "/api/v1/services", body).status == 201)
            }
            var names: [String] = []
            var path = "/api/v1/names?limit=10"
            while true {
                let page = try await api.send(.get, path)
                names += try #require(page["names"]).elements.compactMap { $0.value(at: ["name"])?.text }
                guard let cursor = page["next_cursor"]?.text else { break }
                // The name that the cursor is made of.
                _ = try await api.send(.delete, "/api/v1/services/i\(names.last?.dropFirst() ?? "")")
                path = "/api/v1/names?limit=10&cursor=\(cursor)"
            }
            #expect(names == (10..<35).map { "s\($0)" })
            #expect(try await api.send(.get, "/api/v1/names?limit=23")["next_cursor"] == .null)
            #expect(try await api.send(.get, "/api/v1/names?limit=22")["next_cursor"]?.text == "s33")
            let bad = try await api.send(.get, "/api/v1/names?limit=1001&cursor=S1&tag=x")
            #expect(bad.status == 422 && bad.badFields == ["limit", "cursor", "tag"])
            for query in ["limit=0", "cursor=-", "cursor=a.b", "limit=1&limit=2"] {
                #expect(try await api.send(.get, "/api/v1/names?\(query)").status == 422)
            }
        }
    }

    @Test func `status waits for no change that is being made`() async throws {
        let stuck = StuckStore()
        let api = TestAPI(store: stuck)
        try await api.test.running {
            async let registered = api.send(.post, "/api/v1/services", orders)
            await stuck.waitUntilStuck()
            let status = try await api.send(.get, "/api/v1/status")
            #expect(status["zone", "generation"] == .integer(1))
            #expect(status["instances", "total"] == .integer(0))
            stuck.release()
            #expect(try await registered.status == 201)
            #expect(try await api.send(.get, "/api/v1/status")["zone", "generation"] == .integer(2))
        }
    }

    @Test func `names, status and health tell what is there`() async throws {
        try await running {
            _ = try await api.send(.post, "/api/v1/services", #"{"id":"a","name":"users","ip":"10.0.0.1","port":80}"#)
            _ = try await api.send(.post, "/api/v1/services", orders)
            _ = try await api.send(.patch, "/api/v1/services/a", #"{"draining":true}"#)
            let names = try #require(try await api.send(.get, "/api/v1/names")["names"]).elements
            #expect(names.map { $0.value(at: ["name"])?.text } == ["orders", "users"])
            #expect(names[1].value(at: ["draining"]) == .integer(1))
            let status = try await api.send(.get, "/api/v1/status")
            #expect(status["version"]?.text == "1.2.3")
            #expect(status["instances", "total"] == .integer(2))
            #expect(status["services"] == .integer(2))
            #expect(status["zone", "generation"] == .integer(4))
            #expect(status["storage", "type"]?.text == "memory")
            #expect(try await api.send(.get, "/healthz").status == 200)
            #expect(try await api.send(.get, "/ready").status == 503)
            #expect(try await api.send(.get, "/api/v1/health").status == 503)
            api.state.isReady = true
            #expect(try await api.send(.get, "/ready").status == 200)
            #expect(try await api.send(.get, "/api/v1/health")["status"]?.text == "pass")
        }
    }

    @Test func `an upstream that fails is a warning, and the status says which and why`() async throws {
        let addresses = [UInt32(0x0909_0909), 0x0101_0101].map { SocketAddress(.v4($0), port: 53) }
        func api(_ failing: UpstreamStatistics?) -> TestAPI {
            let api = TestAPI(upstreams: [UpstreamStatistics(address: addresses[0])] + (failing.map { [$0] } ?? []))
            api.state.isReady = true
            return api
        }
        let well = try await api(nil).send(.get, "/api/v1/health")
        #expect(well["status"]?.text == "pass" && well["checks", "upstreams", "status"]?.text == "pass")
        let looping = UpstreamStatistics(address: addresses[1], isHealthy: false, guesses: 3, leadsBack: true)
        let warning = try await api(looping).send(.get, "/api/v1/health")
        #expect(warning.status == 200 && warning["status"]?.text == "warn")
        #expect(warning["checks", "upstreams", "status"]?.text == "warn")
        let status = try await api(looping).send(.get, "/api/v1/status")
        #expect(status["upstreams", "1", "leads_back"] == .bool(true))
        #expect(status["upstreams", "1", "guesses"] == .integer(3))
    }

    @Test func `a registration beyond a limit is refused, and hurts no other`() async throws {
        var limits = Configuration.RegistryLimits()
        limits.maximumPerName = 1
        let api = TestAPI(limits: limits)
        try await api.test.running {
            #expect(try await api.send(.post, "/api/v1/services", orders).status == 201)
            #expect(try await api.send(.post, "/api/v1/services", orders).status == 200)
            let second = #"{"id":"b","name":"orders","ip":"10.0.0.2","port":80}"#
            let refused = try await api.send(.post, "/api/v1/services", second)
            #expect(refused.status == 422 && refused.badFields == ["name"])
            let message = "the service has too many instances: registry.max_per_name is 1"
            #expect(refused["detail"]?.text == message)
            #expect(try await api.send(.get, "/api/v1/services/b").status == 404)
            let body = #"{"register":[\#(second),{"id":"c","name":"users","ip":"10.0.0.3","port":80}]}"#
            let batch = try await api.send(.post, "/api/v1/services/batch", body)
            #expect(batch["results", "0", "status"] == .integer(422))
            #expect(batch["results", "0", "errors", "0", "message"]?.text == message)
            #expect(batch["results", "1", "status"] == .integer(201))
            #expect(api.test.zone.addresses("orders") == ["10.0.0.1"])
        }
    }

    @Test func `a registry that is about to stop tells clients to come back`() async throws {
        api.test.registry.stop()
        let answer = try await api.send(.post, "/api/v1/services", orders)
        #expect(answer.status == 503)
        #expect(answer.fields[.retryAfter] == "1")
    }

    @Test func `a ttl counts from the heartbeat's arrival`() async throws {
        try await running {
            for id in ["a", "b"] {
                let body = #"{"id":"\#(id)","name":"orders","ip":"10.0.0.1","port":80,"ttl":10}"#
                #expect(try await api.send(.post, "/api/v1/services", body).status == 201)
            }
            api.test.clock.advance(by: .seconds(5))
            let arrival = api.test.clock.now
            api.test.clock.advance(by: .seconds(4))
            var request = Endpoint.Request(
                variables: ["a"], target: RequestTarget("/"), arrival: arrival, requester: Requester())
            #expect(api.handler.heartbeat(request).status == .ok)
            request.body = ByteBuffer(string: #"{"ids":["b"]}"#)
            #expect(api.handler.heartbeats(request).status == .ok)
            for id in ["a", "b"] {
                let shown = try await api.send(.get, "/api/v1/services/\(id)")
                #expect(shown["last_heartbeat"]?.text == "2027-01-15T08:00:05.000Z")
                #expect(shown["expires_at"]?.text == "2027-01-15T08:00:15.000Z")
            }
        }
    }

    @Test func `a page ends at 1 MiB, and all pages together have everything once`() async throws {
        // Each takes six octets in JSON.
        let value = String(repeating: "\\u0001", count: 16 * 1024 - 1)
        try await running {
            for number in 0..<30 {
                let body =
                    #"{"id":"i\#(number)","name":"orders","ip":"10.0.0.\#(number)","port":80,"metadata":{"k":"\#(value)"}}"#
                #expect(try await api.send(.post, "/api/v1/services", body).status == 201)
            }
            var ids: [String] = []
            var pages = 0
            var cursor: String?
            repeat {
                let target = RequestTarget("/api/v1/services?limit=1000" + (cursor.map { "&cursor=\($0)" } ?? ""))
                let response = await api.handler.list(
                    Endpoint.Request(target: target, arrival: api.test.clock.now, requester: Requester()))
                #expect(response.status == .ok && response.body.readableBytes <= 1 << 20)
                let json = try JSONParser.parse(Array(response.body.readableBytesView))
                let page = json.value(at: ["services"])?.elements ?? []
                #expect(!page.isEmpty)
                ids += page.compactMap { $0.value(at: ["id"])?.text }
                cursor = json.value(at: ["next_cursor"])?.text
                pages += 1
            } while cursor != nil && pages < 30
            #expect(ids == (0..<30).map { "i\($0)" })
            #expect(pages == 3)
        }
    }

    @Test func `a parameter that is unknown, empty or given twice is an error everywhere`() async throws {
        try await running {
            for endpoint in EndpointTable.server.all {
                let path = endpoint.path.description.replacing("{id}", with: "a")
                let queries = endpoint.parameters.flatMap { ["\($0)=", $0, "\($0)=1&\($0)=1"] }
                let body = endpoint.body.contentType.map { _ in "{}" }
                for query in ["colour=red", "colour", "colour=", "=", "a%zz=1", "a=1&a=1"] + queries {
                    let answer = try await api.send(
                        endpoint.method, "\(path)?\(query)", body, contentType: endpoint.body.contentType)
                    #expect(answer.status == 422, "\(endpoint.method) \(path)?\(query): \(answer.status)")
                    #expect(!answer.badFields.isEmpty && !answer.badFields.contains(""))
                }
            }
            #expect(try await api.send(.delete, "/api/v1/cache?subtree=true").badFields == ["name"])
            #expect(try await api.send(.delete, "/api/v1/cache").status == 200)
            #expect(try await api.send(.delete, "/api/v1/cache?subtree=false").status == 200)
            // An empty text between two signs is no parameter.
            #expect(try await api.send(.get, "/healthz?&").status == 200)
        }
    }

    @Test func `an optional field that is null is as if it were not there`() async throws {
        try await running {
            let null = #""id":null,"protocol":null,"tags":null,"metadata":null,"weight":null,"priority":null"#
            let body = #"{"name":"orders","ip":"10.0.0.1","port":80,"ttl":null,"dns_ttl":null,"checks":null,\#(null)}"#
            let first = try await api.send(.post, "/api/v1/services", body)
            let plain = try await api.send(.post, "/api/v1/services", #"{"name":"orders","ip":"10.0.0.1","port":80}"#)
            #expect(first.status == 201 && plain.status == 200 && first.json == plain.json)
            let path = "/api/v1/services/\(first["id"]?.text ?? "")"
            let patch = #"{"weight":7,"priority":null,"tags":null,"metadata":null,"draining":null}"#
            let changed = try await api.send(.patch, path, patch)
            #expect(changed["weight"] == .integer(7) && changed["status"]?.text == "passing")
            let batch = try await api.send(.post, "/api/v1/services/batch", #"{"register":null,"deregister":null}"#)
            #expect(batch.status == 200 && batch["results"]?.elements == [])

            // Required fields are reported as missing, unknown ones as unknown.
            let nothing = #"{"name":null,"ip":null,"port":null,"x":null}"#
            let missing = try await api.send(.post, "/api/v1/services", nothing)
            #expect(missing.status == 422 && Set(missing.badFields) == ["name", "ip", "port", "x"])
            #expect(try await api.send(.post, "/api/v1/heartbeats", #"{"ids":null}"#).badFields == ["ids"])
            #expect(try await api.send(.patch, path, #"{"port":null}"#).badFields == ["port"])
            #expect(try await api.send(.post, "/api/v1/services", "null").status == 422)
        }
    }

    @Test func `a byte order mark before a body is passed over, and nowhere else`() async throws {
        try await running {
            let body = #"{"name":"orders","ip":"10.0.0.1","port":80}"#
            let answer = try await api.send(.post, "/api/v1/services", "\u{FEFF}" + body)
            #expect(answer.status == 201)
            #expect(try await api.send(.post, "/api/v1/heartbeats", "\u{FEFF}{\"ids\":[]}").status == 200)
            for bad in ["\u{FEFF}", "\u{FEFF}\u{FEFF}" + body, body + "\u{FEFF}", " \u{FEFF}" + body] {
                #expect(try await api.send(.post, "/api/v1/services", bad).status == 400)
            }
        }
    }

    @Test func `a name that occurs twice is named`() async throws {
        try await running {
            let answer = try await api.send(.post, "/api/v1/services", #"{"name":"a","name":"b"}"#)
            #expect(answer.status == 400)
            #expect(answer["detail"]?.text == "line 1, column 13: the name 'name' occurs twice")
            let long = String(repeating: "n", count: 100_000)
            let short = try await api.send(.post, "/api/v1/services", "{\"\(long)\":1,\"\(long)\":2}")
            #expect((short["detail"]?.text ?? long).count < 300)
        }
    }

    @Test func `every answer with a body ends with a newline`() async throws {
        try await running {
            for endpoint in EndpointTable.server.all {
                let path = endpoint.path.description.replacing("{id}", with: "a")
                for target in [path, "\(path)?colour=red", "/nowhere"] {
                    var head = RequestHead(method: endpoint.method, target: target, arrival: api.test.clock.now)
                    head.fields.add(name: "Host", value: "localhost")
                    head.fields.add(name: "Content-Type", value: "application/json")
                    let response: ServerResponse
                    switch api.handler.resolve(head) {
                    case .success(let resolved): response = await resolved.respond(ByteBuffer(string: "{}"))
                    case .failure(let error): response = error.response
                    }
                    // What is made as it is sent is none yet.
                    if response.stream != nil { continue }
                    #expect(response.body.readableBytesView.last == UInt8(ascii: "\n"), "\(endpoint.method) \(target)")
                }
            }
            let nothing = try await api.send(.get, "/nothing")
            #expect(nothing.status == 404 && nothing["detail"]?.text?.contains("/openapi.yaml") == true)
        }
    }
}

/// A store whose commits wait.
private final class StuckStore: Store {
    private let memory = MemoryStore()
    private let (stuck, isStuck) = AsyncStream.makeStream(of: Void.self)
    private let (released, releases) = AsyncStream.makeStream(of: Void.self)

    var view: InstanceView { memory.view }
    var type: String { memory.type }
    var state: StoreState { memory.state }

    /// Returns when a commit waits.
    func waitUntilStuck() async { for await _ in stuck { return } }

    /// Lets all commits go on.
    func release() { releases.finish() }

    nonisolated(nonsending) func load(time: TimeSource) async throws(StoreUnavailable) {}

    nonisolated(nonsending) func commit(_ changes: [StoreChange], time: TimeSource) async -> [StoreResult] {
        isStuck.yield()
        for await _ in released {}
        return await memory.commit(changes, time: time)
    }

    nonisolated(nonsending) func removeExpired(_ sweep: Sweep, limit: Int) async throws(StoreUnavailable)
        -> ExpiredInstances
    {
        ExpiredInstances(instances: [], isComplete: true)
    }
}
