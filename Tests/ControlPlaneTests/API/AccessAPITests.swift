import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1
import Testing

@testable import ControlPlane

/// The API with tokens.
@Suite struct AccessAPITests {
    private static let secrets = ["reader", "writer", "other", "admin"]

    private static func table(_ secrets: [String] = secrets) -> TokenTable {
        let services = ["orders*", "billing"].compactMap { NamePattern($0) }
        let all = [
            Token(name: "r", credential: .hash(TokenHash(of: "reader".utf8)), role: .read),
            Token(name: "w", credential: .hash(TokenHash(of: "writer".utf8)), role: .write, services: services),
            Token(
                name: "o", credential: .hash(TokenHash(of: "other".utf8)), role: .write, services: services.suffix(1)),
            Token(name: "a", credential: .hash(TokenHash(of: "admin".utf8)), role: .admin),
        ]
        return TokenTable(zip(Self.secrets, all).filter { secrets.contains($0.0) }.map(\.1))
    }

    private let access = AccessControl(Self.table())
    private let api: TestAPI

    init() { api = TestAPI(access: access) }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, as secret: String?,
        contentType: String? = "application/json"
    ) async throws -> TestAPI.Answer {
        let fields = [("Host", "any.example")] + (secret.map { [("Authorization", "Bearer \($0)")] } ?? [])
        return try await api.send(method, path, body, contentType: contentType, fields: fields)
    }

    /// A request for each endpoint that succeeds if it is allowed: path, body, and whether it is about a service.
    private static let requests: [String: (path: String, body: String?, isAboutService: Bool)] = [
        "GET /api/v1/services": ("/api/v1/services", nil, false),
        "POST /api/v1/services": (
            "/api/v1/services", #"{"id":"i","name":"orders","ip":"10.0.0.1","port":80,"ttl":0,"checks":[\#(check)]}"#,
            true
        ),
        "POST /api/v1/services/batch": (
            "/api/v1/services/batch", #"{"register":[{"id":"i","name":"orders","ip":"10.0.0.1","port":80}]}"#, false
        ),
        "GET /api/v1/services/{id}": ("/api/v1/services/i", nil, false),
        "PATCH /api/v1/services/{id}": ("/api/v1/services/i", #"{"weight":7}"#, true),
        "DELETE /api/v1/services/{id}": ("/api/v1/services/i", nil, true),
        "PUT /api/v1/services/{id}/checks/{check}": ("/api/v1/services/i/checks/c", #"{"status":"passing"}"#, true),
        "POST /api/v1/services/drain": ("/api/v1/services/drain", #"{"ip":"10.0.0.1"}"#, true),
        "POST /api/v1/services/undrain": ("/api/v1/services/undrain", #"{"name":"orders"}"#, true),
        "PUT /api/v1/services/{id}/heartbeat": ("/api/v1/services/i/heartbeat", nil, true),
        "POST /api/v1/heartbeats": ("/api/v1/heartbeats", #"{"ids":["i"]}"#, false),
        "GET /api/v1/events": ("/api/v1/events", nil, false),
        "GET /api/v1/names": ("/api/v1/names", nil, false),
        "GET /api/v1/status": ("/api/v1/status", nil, false),
        "GET /api/v1/health": ("/api/v1/health", nil, false),
        "GET /healthz": ("/healthz", nil, false),
        "GET /ready": ("/ready", nil, false),
        "GET /metrics": ("/metrics", nil, false),
        "GET /openapi.yaml": ("/openapi.yaml", nil, false),
        "GET /api/v1/names/{name}/policy": ("/api/v1/names/orders/policy", nil, false),
        "PUT /api/v1/names/{name}/policy": ("/api/v1/names/orders/policy", "{}", true),
        "DELETE /api/v1/names/{name}/policy": ("/api/v1/names/orders/policy", nil, true),
        "POST /api/v1/names/{name}/release": ("/api/v1/names/orders/release", nil, true),
        "GET /api/v1/queries": ("/api/v1/queries", nil, false),
        "GET /api/v1/sd/prometheus": ("/api/v1/sd/prometheus", nil, false),
        "GET /api/v1/explain": ("/api/v1/explain?name=orders", nil, false),
        "DELETE /api/v1/cache": ("/api/v1/cache", nil, false),
        "GET /api/v1/backup": ("/api/v1/backup", nil, false),
        "POST /api/v1/restore": ("/api/v1/restore?merge=true", BackupText.of([]).text, false),
        "GET /": ("/", nil, false),
        "GET /dashboard/{file}": ("/dashboard/main.js", nil, false),
    ]

    private static let check = #"{"name":"c","type":"ttl","ttl":"1h"}"#

    /// Puts back what a request needs.
    private func prepare() async throws {
        let registration = try #require(Self.requests["POST /api/v1/services"]?.body)
        #expect(try await send(.post, "/api/v1/services", registration, as: "admin").status < 300)
        #expect(try await send(.put, "/api/v1/names/orders/policy", "{}", as: "admin").status == 200)
        #expect(try await send(.post, "/api/v1/services/undrain", #"{"name":"orders"}"#, as: "admin").status == 200)
    }

    @Test func `each endpoint admits the roles that its row names, for services that the token may change`()
        async throws
    {
        try await api.test.running {
            #expect(Set(Self.requests.keys) == Set(EndpointTable.server.all.map(\.title)))
            for endpoint in EndpointTable.server.all {
                let request = try #require(Self.requests[endpoint.title], "\(endpoint.title)")
                for (secret, role) in [
                    (nil, nil), ("reader", .read), ("writer", .write), ("other", .write), ("admin", .admin),
                ] as [(String?, Role?)] {
                    try await prepare()
                    let answer = try await send(
                        endpoint.method, request.path, request.body, as: secret,
                        contentType: endpoint.body.contentType)
                    let what: Comment = "\(endpoint.title) as \(secret ?? "nobody"): \(answer.status) \(answer.json)"
                    guard let needed = endpoint.access.role else {
                        #expect(answer.status < 300 || answer.status == 503, what)
                        continue
                    }
                    guard let role else {
                        #expect(answer.status == 401, what)
                        #expect(answer.fields[.wwwAuthenticate] == #"Bearer realm="kong-discovery""#, what)
                        continue
                    }
                    if role < needed {
                        #expect(answer.status == 403, what)
                        #expect(answer["detail"]?.text?.contains(needed.rawValue) == true, what)
                        let field = answer.fields[.wwwAuthenticate] ?? ""
                        #expect(
                            field.contains(#"error="insufficient_scope""#)
                                && field.contains(#"scope="\#(needed.rawValue)""#))
                    } else if secret == "other", request.isAboutService {
                        #expect(answer.status == 403, what)
                        #expect(answer["detail"]?.text?.contains("'orders'") == true, what)
                    } else {
                        #expect(answer.status < 300 || answer.status == 503, what)
                    }
                }
            }
        }
    }

    @Test func `what can't be read is told before the body is looked at, and no answer has the token`() async throws {
        try await api.test.running {
            let long = String(repeating: "x", count: 5000)
            for (fields, status, error) in [
                ([("Authorization", "Bearer s3same")], 401, "invalid_token"),
                ([("Authorization", "Basic s3same")], 401, ""),
                ([("Authorization", "Bearer reader"), ("Authorization", "Bearer s3same")], 400, "invalid_request"),
                ([("Authorization", "Bearer s3same s3same")], 400, "invalid_request"),
                ([("Authorization", "Bearer \(long)")], 400, "invalid_request"),
                ([("Authorization", "")], 400, "invalid_request"),
                ([("authorization", "bEARER writer")], 415, ""), ([], 401, ""),
            ] as [([(String, String)], Int, String)] {
                let answer = try await api.send(
                    .post, "/api/v1/services", "{", contentType: "text/plain", fields: [("Host", "localhost")] + fields)
                #expect(answer.status == status, "\(fields)")
                let field = answer.fields[.wwwAuthenticate] ?? ""
                #expect(error.isEmpty || field.contains(#"error="\#(error)""#), "\(field)")
                let text = String(decoding: answer.octets, as: UTF8.self) + field
                #expect(!text.contains("s3same") && !text.contains("xxxx") && !text.contains("writer"))
            }
            let status = try await send(.get, "/api/v1/status", as: "reader")
            #expect(status["access", "tokens_required"] == .bool(true) && status["access", "tokens"] == .integer(4))
            #expect(status["access", "unauthorized"] == .integer(3) && status["access", "malformed"] == .integer(4))
        }
    }

    @Test func `items of a batch and heartbeats are forbidden one by one`() async throws {
        try await api.test.running {
            let both = #"""
                {"register":[{"id":"o","name":"orders","ip":"10.0.0.1","port":80},{"id":"p","name":"payments","ip":"10.0.0.2","port":80}]}
                """#
            #expect(try await send(.post, "/api/v1/services/batch", both, as: "admin").status == 200)
            let body = #"""
                {"register":[{"id":"p","name":"orders","ip":"10.0.0.2","port":80},{"id":"o","name":"payments","ip":"10.0.0.1","port":80},
                {"id":"o2","name":"orders-eu","ip":"10.0.0.3","port":80},{"id":"x","name":"Payments","ip":"10.0.0.3","port":80},7],
                "deregister":["p","o","none"]}
                """#
            let answer = try await send(.post, "/api/v1/services/batch", body, as: "writer")
            let statuses = answer["results"]?.elements.compactMap { $0.value(at: ["status"]) }
            #expect(statuses == [403, 403, 201, 403, 422, 403, 204, 404].map { .integer($0) })
            #expect(
                answer["results", "0", "errors", "0", "message"]?.text
                    == "the token 'w' may not change the service 'payments'")
            #expect(api.test.registry.instance(id: "p")?.instance.name == "payments")
            #expect(api.test.registry.instance(id: "o") == nil)

            let beats = try await send(.post, "/api/v1/heartbeats", #"{"ids":["p","o2","none","p"]}"#, as: "writer")
            #expect(beats.status == 200 && beats["renewed"] == .integer(1))
            #expect(
                beats["forbidden"]?.elements.map(\.text) == ["p"] && beats["unknown"]?.elements.map(\.text) == ["none"])
            let all = try await send(.post, "/api/v1/heartbeats", #"{"ids":["p"]}"#, as: "admin")
            #expect(all["renewed"] == .integer(1) && all["forbidden"] == nil)
            let status = try await send(.get, "/api/v1/status", as: "reader")
            #expect(status["access", "forbidden"] == .integer(5))
        }
    }

    @Test func `a host is drained by one who may change all that are there, or not at all`() async throws {
        try await api.test.running {
            let both = #"""
                {"register":[{"id":"o","name":"orders","ip":"10.0.0.1","port":80},{"id":"p","name":"payments","ip":"10.0.0.1","port":81}]}
                """#
            #expect(try await send(.post, "/api/v1/services/batch", both, as: "admin").status == 200)
            let host = #"{"ip":"10.0.0.1"}"#
            #expect(try await send(.post, "/api/v1/services/drain", host, as: "writer").status == 403)
            #expect(api.test.registry.instance(id: "o")?.instance.isDraining == false)
            #expect(
                try await send(.post, "/api/v1/services/drain", #"{"name":"payments"}"#, as: "writer").status == 403)
            #expect(try await send(.post, "/api/v1/services/drain", #"{"name":"nothing"}"#, as: "writer").status == 403)
            let own = try await send(.post, "/api/v1/services/drain", #"{"name":"orders"}"#, as: "writer")
            #expect(own.status == 200 && own["changed"] == .integer(1))
            let all = try await send(.post, "/api/v1/services/drain", host, as: "admin")
            #expect(all.status == 200 && all["changed"] == .integer(1))
            // Now the other service's instance would be put back by it.
            #expect(try await send(.post, "/api/v1/services/undrain", host, as: "writer").status == 403)
        }
    }

    @Test func `bounds of a policy are set by admins, and told with what is beyond them`() async throws {
        try await api.test.running {
            let path = "/api/v1/names/orders/policy"
            #expect(try await send(.put, path, #"{"max_weight":50}"#, as: "writer").status == 403)
            #expect(try await send(.put, path, #"{"max_weight":50,"min_priority":10}"#, as: "admin").status == 200)
            let body = #"{"id":"o","name":"orders","ip":"10.0.0.1","port":80}"#
            let refused = try await send(.post, "/api/v1/services", body, as: "admin")
            #expect(refused.status == 422 && refused.badFields == ["weight", "priority"])
            #expect(refused["detail"]?.text?.contains("at most 50") == true)
            let good = #"{"id":"o","name":"orders","ip":"10.0.0.1","port":80,"weight":50,"priority":10}"#
            #expect(try await send(.post, "/api/v1/services", good, as: "writer").status == 201)
            let changed = try await send(.patch, "/api/v1/services/o", #"{"weight":51}"#, as: "writer")
            #expect(changed.status == 422 && changed.badFields == ["weight"])
            let batch = try await send(.post, "/api/v1/services/batch", "{\"register\":[\(body)]}", as: "writer")
            #expect(batch["results", "0", "status"] == .integer(422))
            #expect(batch["results", "0", "errors"]?.elements.count == 2)
            #expect(try await send(.delete, path, as: "writer").status == 403)
            let kept = try await send(.put, path, #"{"max_weight":50,"min_priority":10,"dns_ttl":9}"#, as: "writer")
            #expect(kept.status == 200)
            #expect(try await send(.delete, path, as: "admin").status == 204)
        }
    }

    @Test func `a replaced table holds for what comes, and for a request whose body is still to come`() async throws {
        try await api.test.running {
            #expect(try await send(.get, "/api/v1/names", as: "reader").status == 200)
            var head = RequestHead(
                method: .post, target: "/api/v1/services", arrival: api.test.clock.now, client: .v4(1))
            head.fields = [
                "Host": "localhost", "Authorization": "Bearer writer", "Content-Type": "application/json",
            ]
            let resolved = try api.handler.resolve(head).get()
            access.adopt(Self.table(["admin"]))
            let body = #"{"id":"o","name":"orders","ip":"10.0.0.1","port":80}"#
            #expect(await resolved.respond(.init(string: body)).status == .unauthorized)
            #expect(api.test.registry.instance(id: "o") == nil)
            #expect(try await send(.get, "/api/v1/names", as: "reader").status == 401)
            #expect(try await send(.get, "/api/v1/names", as: "admin").status == 200)
            access.adopt(nil as TokenTable?)
            #expect(try await api.send(.get, "/api/v1/names").status == 200)
            // Without tokens the name of the host counts again.
            #expect(try await send(.get, "/api/v1/names", as: nil).status == 421)
        }
    }

    @Test func `a list that waits is not answered once its token is gone`() async throws {
        try await api.test.running {
            let index = try await send(.get, "/api/v1/services", as: "reader").fields[.init("X-Registry-Index")!] ?? "0"
            async let waiting = send(.get, "/api/v1/services?index=\(index)&wait=10m", as: "reader")
            while api.test.registry.feed.readerCount == 0 { await Task.yield() }
            access.adopt(Self.table(["admin"]))
            let answer = try await waiting
            #expect(answer.status == 401 && answer["services"] == nil)
        }
    }

    @Test func `a certificate's subject stands for a token`() async throws {
        try await api.test.running {
            access.adopt(TokenTable([Token(name: "node", credential: .subject("CN=node-1"), role: .read)]))
            var head = RequestHead(method: .get, target: "/api/v1/names", arrival: api.test.clock.now, client: .v4(1))
            head.fields = ["Host": "localhost"]
            #expect((try? api.handler.resolve(head).get()) == nil)
            head.certificateSubject = "CN=node-1"
            let resolved = try api.handler.resolve(head).get()
            #expect(await resolved.respond(.init()).status == .ok)
            head.certificateSubject = "CN=node-2"
            #expect((try? api.handler.resolve(head).get()) == nil)
        }
    }
}
