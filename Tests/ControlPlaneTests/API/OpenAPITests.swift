import HTTPTypes
import Testing
import Yams

@testable import ControlPlane

@Suite struct OpenAPITests {
    @Test func `every endpoint is described, with its parameters, and nothing else`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        #expect(document["openapi"]?.string == "3.1.0")
        let paths = try #require(document["paths"]?.mapping)
        #expect(EndpointTable.server.all.count == 31)
        #expect(Set(paths.keys.compactMap(\.string)) == Set(EndpointTable.server.all.map(\.path.description)))
        for endpoint in EndpointTable.server.all {
            let method = endpoint.method.rawValue.lowercased()
            let operation = try #require(paths[Node(endpoint.path.description)]?[method]?.mapping, "\(endpoint.path)")
            let parameters = operation["parameters"]?.sequence?.compactMap { $0["name"]?.string } ?? []
            #expect(parameters == endpoint.parameters, "\(method) \(endpoint.path)")
            #expect(operation["operationId"]?.string != nil && operation["responses"]?.mapping != nil)
            let types = operation["requestBody"]?["content"]?.mapping?.keys.compactMap(\.string) ?? []
            #expect(types == [endpoint.body.contentType].compactMap(\.self), "\(method) \(endpoint.path)")
        }
        let operations = EndpointTable.server.all.compactMap {
            paths[Node($0.path.description)]?[$0.method.rawValue.lowercased()]?["operationId"]?.string
        }
        #expect(Set(operations).count == EndpointTable.server.all.count)
    }

    @Test func `every operation says which role it needs, and how it is refused`() throws {
        for (text, isOptional) in [(OpenAPIDocument.text, true), (OpenAPIDocument.textWithTokens, false)] {
            let paths = try #require(try Yams.compose(yaml: text)?["paths"]?.mapping)
            for endpoint in EndpointTable.server.all {
                let method = endpoint.method.rawValue.lowercased()
                let operation = try #require(paths[Node(endpoint.path.description)]?[method]?.mapping)
                let security = try #require(operation["security"]?.sequence)
                #expect(operation["x-role"]?.string == endpoint.access.role?.rawValue)
                guard endpoint.access.role != nil else {
                    #expect(security.isEmpty, "\(endpoint.title)")
                    continue
                }
                #expect(security.count == (isOptional ? 3 : 2), "\(endpoint.title)")
                for (scheme, alternative) in zip(["bearer", "certificate"], security.suffix(2)) {
                    #expect(alternative[scheme]?.sequence?.isEmpty == true)
                }
                let statuses = Set(operation["responses"]?.mapping?.keys.compactMap(\.string) ?? [])
                #expect(statuses.isSuperset(of: ["400", "401", "403", "405", "422", "431"]), "\(endpoint.title)")
                #expect(statuses.contains("429") == (endpoint.limit != nil), "\(endpoint.title)")
                #expect(statuses.contains("421") == isOptional, "\(endpoint.title)")
                #expect(statuses.contains("404") == !endpoint.path.variables.isEmpty, "\(endpoint.title)")
                #expect(statuses.contains("503") || !endpoint.needsRegistry, "\(endpoint.title)")
                #expect(statuses.contains("415") == (endpoint.body.contentType != nil), "\(endpoint.title)")
                if case .json = endpoint.body { #expect(statuses.contains("413"), "\(endpoint.title)") }
            }
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

    @Test func `every field of an instance is described, those that are taken and those that are shown`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        let schemas = try #require(document["components"]?["schemas"])
        let fields: Set = [
            "id", "name", "ip", "port", "protocol", "tags", "metadata", "weight", "priority", "ttl", "dns_ttl",
            "checks", "status", "registered_at", "last_heartbeat", "expires_at",
        ]
        for name in ["Registration", "Instance"] {
            let properties = try #require(schemas[name]?["properties"]?.mapping)
            #expect(Set(properties.keys.compactMap(\.string)) == fields, "\(name)")
        }
        #expect(schemas["Registration"]?["additionalProperties"]?.bool == false)
        let required = schemas["Instance"]?["required"]?.sequence?.compactMap(\.string) ?? []
        #expect(Set(required) == fields)
    }

    @Test func `every operation has an answer to bad parameters, and every answer with a body a schema`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        var count = 0
        for (_, operations) in try #require(document["paths"]?.mapping) {
            for (method, operation) in operations.mapping ?? [:] where method.string != "parameters" {
                let responses = try #require(operation["responses"]?.mapping)
                #expect(responses.keys.contains { $0.string == "422" }, "\(operation)")
                for (status, response) in responses where response["$ref"] == nil {
                    if ["204", "304"].contains(status.string) { continue }
                    let content = try #require(response["content"]?.mapping, "\(operation)")
                    for (_, body) in content { #expect(body["schema"] != nil, "\(operation)") }
                    count += 1
                }
            }
        }
        #expect(count > 10)
    }

    @Test func `links lead from what was registered to operations that there are`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        var operations: Set<String> = []
        for (_, path) in try #require(document["paths"]?.mapping) {
            for (_, operation) in path.mapping ?? [:] {
                if let id = operation["operationId"]?.string { operations.insert(id) }
            }
        }
        for (name, link) in try #require(document["components"]?["links"]?.mapping) {
            #expect(operations.contains(link["operationId"]?.string ?? ""), "\(name)")
        }
        func links(_ path: String, _ status: String) -> Set<String> {
            let responses = document["paths"]?[Node(path)]?["post"]?["responses"]?.mapping ?? [:]
            let response = responses.first { $0.key.string == status }?.value
            return Set(response?["links"]?.mapping?.keys.compactMap(\.string) ?? [])
        }
        for status in ["200", "201"] {
            #expect(links("/api/v1/services", status) == ["get", "change", "heartbeat", "deregister"], "\(status)")
        }
        #expect(links("/api/v1/services/batch", "200") == ["get", "heartbeat", "deregister"])
    }

    @Test func `nothing has a default that a client must not send`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        // Without an index there is nothing to wait for.
        for path in ["/api/v1/services", "/api/v1/names"] {
            let parameters = try #require(document["paths"]?[Node(path)]?["get"]?["parameters"]?.sequence)
            let wait = try #require(parameters.first { $0["name"]?.string == "wait" })
            #expect(wait["schema"]?["pattern"] != nil && wait["schema"]?["default"] == nil, "\(path)")
        }
        // What a change does not name stays as it is.
        let change = try #require(document["components"]?["schemas"]?["Change"]?["properties"]?.mapping)
        for (name, field) in change { #expect(field["default"] == nil, "\(name)") }
    }
}
