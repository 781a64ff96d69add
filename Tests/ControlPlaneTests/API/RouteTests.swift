import HTTPTypes
import Testing

@testable import ControlPlane

@Suite struct RouteTests {
    private func route(_ target: String) -> Route? {
        RequestTarget(target).segments.flatMap(Route.init(segments:))
    }

    @Test(
        arguments: [
            ("/api/v1/services", .services), ("/api/v1/services?x=/y", .services),
            ("/api/v1/services/abc", .service(id: "abc")),
            ("/api/v1/services/%41b", .service(id: "Ab")), ("/api/v1/services/batch", .service(id: "batch")),
            ("/api/v1/services/a%2Fb", .service(id: "a/b")), ("/api/v1/services/a/heartbeat", .heartbeat(id: "a")),
            ("http://localhost:8080/api/v1/names", .names), ("/api/v1/heartbeats", .heartbeats), ("/healthz", .alive),
            ("/ready", .ready), ("/openapi.yaml", .description), ("/api/v1/status", .status),
            ("/api/v1/health", .health),
        ] as [(String, Route)]) func `a path leads to its route`(target: String, expected: Route)
    {
        #expect(route(target) == expected)
    }

    @Test(arguments: [
        "", "/", "*", "//", "/api", "/api/v1", "/api/v1/", "/api/v2/services", "/api/v1/services/",
        "/api/v1/services//heartbeat",
        "/api/v1/services/a/b", "/api/v1/services/a/heartbeat/", "/healthz/", "/api/v1/services/%4",
        "/api/v1/services/%zz",
        "/api/v1/services/%ff", "api/v1/services", "/API/v1/services", "?x", "http://host",
    ]) func `other paths lead nowhere`(target: String) {
        #expect(route(target) == nil)
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
