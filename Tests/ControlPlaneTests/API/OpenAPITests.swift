import HTTPTypes
import Testing
import Yams

@testable import ControlPlane

@Suite struct OpenAPITests {
    private let routes: [(path: String, route: Route)] = [
        ("/api/v1/services", .services), ("/api/v1/services/{id}", .service(id: "x")),
        ("/api/v1/services/batch", .service(id: "batch")), ("/api/v1/services/{id}/heartbeat", .heartbeat(id: "x")),
        ("/api/v1/heartbeats", .heartbeats), ("/api/v1/names", .names), ("/api/v1/status", .status),
        ("/api/v1/health", .health), ("/api/v1/cache", .cache), ("/healthz", .alive), ("/ready", .ready),
        ("/openapi.yaml", .description),
    ]

    @Test func `every path and method is described, and nothing else`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        #expect(document["openapi"]?.string == "3.1.0")
        let paths = try #require(document["paths"]?.mapping)
        #expect(Set(paths.keys.compactMap(\.string)) == Set(routes.map(\.path)))
        for (path, route) in routes {
            let described = try #require(paths[Node(path)]?.mapping).keys.compactMap(\.string)
            var expected = Set(route.methods.map { $0.rawValue.lowercased() }).subtracting(["head"])
            if path.hasSuffix("batch") { expected = ["post"] }
            #expect(Set(described).subtracting(["parameters"]) == expected, "\(path)")
        }
    }

    @Test func `every reference leads somewhere`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        var count = 0
        func check(_ node: Node) {
            switch node {
            case .mapping(let mapping):
                for (key, value) in mapping {
                    if key.string == "$ref", let reference = value.string {
                        count += 1
                        var target: Node? = document
                        for step in reference.split(separator: "/").dropFirst() { target = target?[String(step)] }
                        #expect(target != nil, "\(reference)")
                    }
                    check(value)
                }
            case .sequence(let sequence): for element in sequence { check(element) }
            default: break
            }
        }
        check(document)
        #expect(count > 10)
    }

    @Test func `every field of a registration is described`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        let fields = try #require(document["components"]?["schemas"]?["Registration"]?["properties"]?.mapping)
        #expect(
            Set(fields.keys.compactMap(\.string)) == [
                "id", "name", "ip", "port", "protocol", "tags", "metadata", "weight", "priority", "ttl", "dns_ttl",
            ]
        )
    }
}
