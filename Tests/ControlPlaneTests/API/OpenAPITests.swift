import HTTPTypes
import Testing
import Yams

@testable import ControlPlane

@Suite struct OpenAPITests {
    @Test func `every endpoint is described, with its parameters, and nothing else`() throws {
        let document = try #require(try Yams.compose(yaml: OpenAPIDocument.text))
        #expect(document["openapi"]?.string == "3.1.0")
        let paths = try #require(document["paths"]?.mapping)
        #expect(EndpointTable.all.count == 27)
        #expect(Set(paths.keys.compactMap(\.string)) == Set(EndpointTable.all.map(\.path.description)))
        for endpoint in EndpointTable.all {
            let method = endpoint.method.rawValue.lowercased()
            let operation = try #require(paths[Node(endpoint.path.description)]?[method]?.mapping, "\(endpoint.path)")
            let parameters = operation["parameters"]?.sequence?.compactMap { $0["name"]?.string } ?? []
            #expect(parameters == endpoint.parameters, "\(method) \(endpoint.path)")
            #expect(operation["operationId"]?.string != nil && operation["responses"]?.mapping != nil)
            var hasBody = false
            if case .json = endpoint.body { hasBody = true }
            #expect((operation["requestBody"] != nil) == hasBody, "\(method) \(endpoint.path)")
        }
        let operations = EndpointTable.all.compactMap {
            paths[Node($0.path.description)]?[$0.method.rawValue.lowercased()]?["operationId"]?.string
        }
        #expect(Set(operations).count == EndpointTable.all.count)
    }

    @Test func `every operation says which role it needs, and how it is refused`() throws {
        for (text, isOptional) in [(OpenAPIDocument.text, true), (OpenAPIDocument.textWithTokens, false)] {
            let paths = try #require(try Yams.compose(yaml: text)?["paths"]?.mapping)
            for endpoint in EndpointTable.all {
                let method = endpoint.method.rawValue.lowercased()
                let operation = try #require(paths[Node(endpoint.path.description)]?[method]?.mapping)
                let security = try #require(operation["security"]?.sequence)
                #expect(operation["x-role"]?.string == endpoint.access.role?.rawValue)
                guard endpoint.access.role != nil else {
                    #expect(security.isEmpty, "\(endpoint.title)")
                    continue
                }
                #expect(security.last?["bearer"]?.sequence?.isEmpty == true)
                #expect(security.count == (isOptional ? 2 : 1), "\(endpoint.title)")
                let statuses = Set(operation["responses"]?.mapping?.keys.compactMap(\.string) ?? [])
                #expect(statuses.isSuperset(of: ["400", "401", "403"]), "\(endpoint.title)")
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
                for (status, response) in responses where response["$ref"] == nil && status.string != "204" {
                    let content = try #require(response["content"]?.mapping, "\(operation)")
                    for (_, body) in content { #expect(body["schema"] != nil, "\(operation)") }
                    count += 1
                }
            }
        }
        #expect(count > 10)
    }
}
