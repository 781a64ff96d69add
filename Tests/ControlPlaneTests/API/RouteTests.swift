import HTTPTypes
import Testing

@testable import ControlPlane

@Suite struct RouteTests {
    private func match(_ method: HTTPRequest.Method, _ target: String) -> EndpointTable.Match {
        RequestTarget(target).segments.map { EndpointTable.server.match(method, $0) } ?? .nothing
    }

    @Test(
        arguments: [
            (.get, "/api/v1/services", "/api/v1/services", ""),
            (.head, "/api/v1/services?x=/y", "/api/v1/services", ""),
            (.get, "/api/v1/services/abc", "/api/v1/services/{id}", "abc"),
            (.patch, "/api/v1/services/%41b", "/api/v1/services/{id}", "Ab"),
            (.delete, "/api/v1/services/batch", "/api/v1/services/{id}", "batch"),
            (.post, "/api/v1/services/batch", "/api/v1/services/batch", ""),
            (.get, "/api/v1/services/a%2Fb", "/api/v1/services/{id}", "a/b"),
            (.put, "/api/v1/services/a/heartbeat", "/api/v1/services/{id}/heartbeat", "a"),
            (.put, "/api/v1/services/a/checks/b", "/api/v1/services/{id}/checks/{check}", "a b"),
            (.post, "/api/v1/services/drain", "/api/v1/services/drain", ""),
            (.get, "/api/v1/services/drain", "/api/v1/services/{id}", "drain"),
            (.get, "http://localhost:8080/api/v1/names", "/api/v1/names", ""),
            (.get, "/api/v1/names/Web/policy", "/api/v1/names/{name}/policy", "Web"),
            (.post, "/api/v1/heartbeats", "/api/v1/heartbeats", ""), (.get, "/healthz", "/healthz", ""),
            (.get, "/ready", "/ready", ""), (.get, "/openapi.yaml", "/openapi.yaml", ""),
            (.get, "/api/v1/status", "/api/v1/status", ""), (.get, "/api/v1/health", "/api/v1/health", ""),
            (.delete, "/api/v1/cache", "/api/v1/cache", ""), (.get, "/", "/", ""), (.head, "/?x", "/", ""),
            (.get, "/dashboard/main.js", "/dashboard/{file}", "main.js"),
        ] as [(HTTPRequest.Method, String, String, String)])
    func `a path leads to its endpoint`(method: HTTPRequest.Method, target: String, path: String, id: String) throws {
        guard case .endpoint(let placed, let variables) = match(method, target) else {
            Issue.record("\(method) \(target) leads nowhere")
            return
        }
        let endpoint = placed.endpoint
        #expect(EndpointTable.server.all[placed.place] === endpoint)
        #expect(endpoint.path.description == path && variables.joined(separator: " ") == id)
        #expect(endpoint.method == method || endpoint.method == .get && method == .head)
    }

    @Test(arguments: [
        "", "*", "//", "/dashboard", "/dashboard/",
        "/api", "/api/v1", "/api/v1/", "/api/v2/services", "/api/v1/services/",
        "/api/v1/services//heartbeat",
        "/api/v1/services/a/b", "/api/v1/services/a/heartbeat/", "/healthz/", "/api/v1/services/%4",
        "/api/v1/services/%zz",
        "/api/v1/services/%ff", "api/v1/services", "/API/v1/services", "?x", "http://host",
    ]) func `other paths lead nowhere`(target: String) {
        guard case .nothing = match(.get, target) else {
            Issue.record("\(target) leads somewhere")
            return
        }
    }

    @Test(
        arguments: [
            ("/api/v1/services", [.get, .head, .post]), ("/api/v1/services/x", [.get, .head, .patch, .delete]),
            ("/api/v1/services/batch", [.post, .get, .head, .patch, .delete]),
            ("/api/v1/services/x/heartbeat", [.put]), ("/api/v1/cache", [.delete]), ("/ready", [.get, .head]),
        ] as [(String, [HTTPRequest.Method])])
    func `other methods are told which there are`(target: String, methods: [HTTPRequest.Method]) {
        guard case .otherMethods(let others) = match(.options, target) else {
            Issue.record("OPTIONS \(target) is no other method")
            return
        }
        #expect(others == methods)
    }

    @Test func `parameters are taken apart and decoded`() throws {
        let parameters = try #require(RequestTarget("/?a=1&b=%20x&c&=d&&e=f=g").parameters)
        #expect(parameters.map(\.name) == ["a", "b", "c", "", "e"])
        #expect(parameters.map(\.value) == ["1", " x", "", "d", "f=g"])
        #expect(RequestTarget("/?a=%").parameters == nil)
    }

    @Test func `a list's parameters are checked`() throws {
        let query = try ListQuery(
            RequestTarget("/?name=Orders&tag=V1&status=draining&limit=1000&cursor=00000000000000ff"))
        #expect(query.filter == InstanceFilter(name: "orders", tag: "v1", status: .draining))
        #expect(query.limit == 1000)
        #expect(query.after == 255)
        for bad in [
            "limit=0", "limit=1001", "limit=-1", "limit=%2B5", "limit=x", "limit=1.5", "limit=99999999999999999999",
            "cursor=x",
            "cursor=00000000000000FF", "cursor=000000000000000ff", "status=ok", "colour=red", "limit=1&limit=1",
            "name=%", "name=", "tag=", "status=", "limit=", "cursor=", "name", "=", "name=a&tag=",
        ] {
            #expect(throws: InvalidFields.self, "\(bad)") { try ListQuery(RequestTarget("/?\(bad)")) }
        }
    }

    @Test(arguments: [0, 1, 255, UInt64.max]) func `a cursor is read as it was written`(place: UInt64) throws {
        #expect(try ListQuery(RequestTarget("/?cursor=\(ListQuery.cursor(after: place))")).after == place)
    }
}
