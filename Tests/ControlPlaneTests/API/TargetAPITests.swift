import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1
import Testing

@testable import ControlPlane

/// The targets for Prometheus.
@Suite struct TargetAPITests {
    private let api = TestAPI()
    private static let path = "/api/v1/sd/prometheus"

    private func register(_ fields: String) async throws {
        #expect(try await api.send(.post, "/api/v1/services", "{\(fields)}").status == 201)
    }

    @Test func `every instance is a group with all that relabeling may go by, whatever its status`() async throws {
        try await api.test.running {
            #expect(try await api.send(.get, Self.path).octets == Array("[]\n".utf8))
            try await register(
                #""id":"a","name":"Orders","ip":"10.0.0.1","port":9100,"tags":["v1","EU"],"weight":7,"priority":2"#)
            try await register(#""id":"b","name":"orders","ip":"2001:DB8::1","port":80,"protocol":"udp""#)
            let check = #"{"name":"c","type":"ttl","ttl":"1h","initial":"critical"}"#
            try await register(#""id":"c","name":"billing","ip":"10.0.0.3","port":80,"checks":[\#(check)]"#)
            #expect(try await api.send(.patch, "/api/v1/services/b", #"{"draining":true}"#).status == 200)
            let answer = try await api.send(.get, Self.path)
            #expect(answer.status == 200 && answer.contentType == "application/json")
            #expect(answer.fields.first { $0.name.canonicalName == "x-registry-index" } != nil)
            let groups = answer.json.elements
            let addresses = groups.map { $0.value(at: ["targets", "0"])?.text }
            #expect(addresses == ["10.0.0.1:9100", "[2001:db8::1]:80", "10.0.0.3:80"])
            func label(_ group: Int, _ name: String) -> String? {
                groups[group].value(at: ["labels", "__meta_kong_discovery_\(name)"])?.text
            }
            for (name, value) in [
                ("service", "orders"), ("id", "a"), ("address", "10.0.0.1"), ("port", "9100"), ("protocol", "tcp"),
                ("tags", ",v1,eu,"), ("status", "passing"), ("weight", "7"), ("priority", "2"),
            ] {
                #expect(label(0, name) == value, "\(name)")
            }
            #expect(label(1, "status") == "draining" && label(1, "protocol") == "udp" && label(1, "tags") == ",,")
            #expect(label(2, "status") == "critical")
            for (query, count) in [("?name=ORDERS", 2), ("?tag=eu", 1), ("?name=billing&tag=eu", 0), ("?name=x", 0)] {
                #expect(try await api.send(.get, Self.path + query).json.elements.count == count, "\(query)")
            }
        }
    }

    @Test func `metadata become labels that Prometheus accepts, each once`() async throws {
        try await api.test.running {
            let metadata = #"""
                {"b.c":"x","b-c":"first","b_c":"exact","é日":"y","":"none","d/e":"2","d e":"1","q\"":"\n\"\u0001"}
                """#
            try await register(#""name":"orders","ip":"10.0.0.1","port":80,"metadata":\#(metadata)"#)
            let answer = try await api.send(.get, Self.path)
            guard case .object(let labels)? = answer["0", "labels"] else {
                Issue.record("no labels")
                return
            }
            let prefix = "__meta_kong_discovery_metadata_"
            let found = labels.filter { $0.name.hasPrefix(prefix) }.map {
                "\($0.name.dropFirst(prefix.count))=\($0.value.text ?? "")"
            }
            #expect(found.sorted() == ["=none", "__=y", "b_c=exact", "d_e=1", "q_=\n\"\u{1}"])
            #expect(Set(labels.map(\.name)).count == labels.count)
        }
    }

    @Test(arguments: ["?name=", "?tag", "?name=a&name=b", "?status=passing", "?limit=1", "?x", "?name=%ff"])
    func `bad parameters are refused`(query: String) async throws {
        try await api.test.running {
            let answer = try await api.send(.get, Self.path + query)
            #expect(answer.status == 422)
        }
    }

    @Test func `a long list is made part by part`() async throws {
        try await api.test.running {
            let value = String(repeating: "x", count: 8000)
            for first in stride(from: 0, to: 1000, by: 100) {
                let items = (first..<first + 100).map {
                    #"{"id":"i\#($0)","name":"s\#($0 % 2)","ip":"10.0.0.1","port":\#($0 + 1),"#
                        + #""metadata":{"k":"\#($0 < 20 ? value : "")"}}"#
                }
                let batch = #"{"register":[\#(items.joined(separator: ","))]}"#
                #expect(try await api.send(.post, "/api/v1/services/batch", batch).status == 200)
            }
            for name in [nil, "s1"] {
                let stream = TargetStream(registry: api.test.registry, filter: InstanceFilter(name: name))
                var part = await stream.part(after: nil)
                var parts = [part]
                while !part.isLast {
                    part = await stream.part(after: part)
                    parts.append(part)
                }
                #expect(parts.count > 2 && parts.allSatisfy { $0.text.readableBytes < 2 * TargetStream.partOctets })
                let list = try JSONParser.parse(parts.flatMap { Array($0.text.readableBytesView) })
                let ids = list.elements.compactMap { $0.value(at: ["labels", "__meta_kong_discovery_id"])?.text }
                #expect(ids == (0..<1000).filter { name == nil || $0 % 2 == 1 }.map { "i\($0)" })
            }
        }
    }
}
