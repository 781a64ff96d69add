import Foundation
import Testing

@testable import ControlPlane

/// What Consul and CoreDNS know becomes registrations.
@Suite struct ForeignInstancesTests {
    private func read(
        _ text: String, _ format: ImportFormat? = nil, defaults: ImportDefaults = ImportDefaults(), zone: String? = nil
    ) throws -> [String] {
        let skyDNS = zone.map { SkyDNSInstances(prefix: "/skydns", zone: $0, defaults: defaults) }
        var reader = ImportReader(format: format, defaults: defaults, skyDNS: skyDNS)
        return try (reader.take(Array(text.utf8)) + reader.finish()).map { item in
            switch item.registration {
            case .success(let value): String(decoding: value.encoded, as: UTF8.self)
            case .failure(let refusal): "\(item.place) \(refusal.isSkipped ? "left out" : "refused"): \(refusal.reason)"
            }
        }
    }

    private static let catalog = """
        [{"ID":"810f4804","Node":"n1","Address":"10.0.0.7","Datacenter":"dc1","ServiceKind":"","ServiceID":"web",
          "ServiceName":"web","ServiceTags":["blue","v1.2","urlprefix-/x"],"ServiceAddress":"",
          "ServiceWeights":{"Passing":10,"Warning":1},"ServiceMeta":{"zone":"a"},"ServicePort":80,"CreateIndex":10},
         {"Node":"n2","Address":"10.0.0.8","ServiceName":"web","ServiceAddress":"10.1.0.8","ServicePort":81,
          "ServiceTags":null,"ServiceMeta":null},
         {"Node":"n3","Address":"10.0.0.9","ServiceName":"web-proxy","ServiceKind":"connect-proxy","ServicePort":82},
         {"Node":"n4","Address":"10.0.0.9","ServiceName":"db","ServicePort":0}]
        """

    @Test(arguments: [nil, ImportFormat.consul])
    func `Consul's catalog`(format: ImportFormat?) throws {
        #expect(
            try read(Self.catalog, format) == [
                #"{"name":"web","ip":"10.0.0.7","port":80,"tags":["blue"],"#
                    + #""metadata":{"zone":"a","consul_tags":"v1.2,urlprefix-/x"},"weight":10,"ttl":0}"#,
                #"{"name":"web","ip":"10.1.0.8","port":81,"tags":[],"metadata":{},"ttl":0}"#,
                "line 6 left out: a connect-proxy of Consul's service mesh",
                "line 7 refused: has no port: --port says one",
            ])
    }

    @Test func `Consul's health, without what is critical`() throws {
        func entry(_ status: String, _ address: String) -> String {
            #"{"Node":{"Node":"n","Address":"10.0.0.7"},"Service":{"ID":"w","Service":"web","Tags":["a"],"#
                + #""Address":"\#(address)","Meta":{},"Port":80,"Weights":{"Passing":2,"Warning":1}},"#
                + #""Checks":[{"Name":"serf","Status":"passing"},{"Name":"http","Status":"\#(status)"}]}"#
        }
        let text =
            "[" + [entry("passing", ""), entry("warning", "fd00::1"), entry("critical", "")].joined(separator: ",")
        #expect(
            try read(text + "]") == [
                #"{"name":"web","ip":"10.0.0.7","port":80,"tags":["a"],"metadata":{},"weight":2,"ttl":0}"#,
                #"{"name":"web","ip":"fd00::1","port":80,"tags":["a"],"metadata":{},"weight":2,"ttl":0}"#,
                "line 1 left out: critical in Consul: check 'http'",
            ])
    }

    @Test func `a Consul agent's services have no address unless they are given one`() throws {
        let text = """
            {"web1":{"ID":"web1","Service":"web","Tags":[],"Meta":{},"Port":80,"Address":"10.0.0.1"},
             "web2":{"ID":"web2","Service":"web","Tags":[],"Meta":{},"Port":81,"Address":""}}
            """
        let first = #"{"name":"web","ip":"10.0.0.1","port":80,"tags":[],"metadata":{},"ttl":0}"#
        #expect(
            try read(text) == [first, "line 1 refused: has no address, as its agent's is not in here: --ip says it"])
        let given = ImportDefaults(ttl: 30, ip: "10.0.0.2", port: nil)
        #expect(
            try read(text, defaults: given) == [
                first.replacing(#""ttl":0"#, with: #""ttl":30"#),
                #"{"name":"web","ip":"10.0.0.2","port":81,"tags":[],"metadata":{},"ttl":30}"#,
            ])
    }

    @Test func `CoreDNS' tree`() throws {
        func entry(_ key: String, _ value: String) -> String {
            let octets = [key, value].map { Data($0.utf8).base64EncodedString() }
            return #"{"key":"\#(octets[0])","create_revision":"2","mod_revision":"2","value":"\#(octets[1])"}"#
        }
        let entries = [
            entry(
                "/skydns/local/cluster/orders/x1",
                #"{"host":"10.0.0.1","port":8080,"priority":10,"weight":20,"ttl":60,"text":"hi","group":""}"#),
            entry("/skydns/local/cluster/orders/blue/x2", #"{"host":"fd00::1","port":80}"#),
            entry("/skydns/local/cluster/orders/x3", #"{"host":"other.example","port":80}"#),
            entry("/skydns/local/cluster/orders/x4", #"{"host":"10.0.0.4"}"#),
            entry("/skydns/local/cluster/orders/x5", #"{"text":"only"}"#),
            entry("/skydns/local/other/orders/x6", #"{"host":"10.0.0.6","port":80}"#),
            entry("/skydns/local/cluster/orders/a/b/c", #"{"host":"10.0.0.6","port":80}"#),
            entry("/skydns/local/cluster/orders/x7", "no JSON"),
        ]
        let text = #"{"header":{"revision":"9"},"kvs":["# + entries.joined(separator: ",\n") + #"],"count":"8"}"#
        let orders = "/skydns/local/cluster/orders"
        #expect(
            try read(text, zone: "Cluster.local") == [
                #"{"name":"orders","ip":"10.0.0.1","port":8080,"priority":10,"weight":20,"dns_ttl":60,"#
                    + #""metadata":{"text":"hi"},"ttl":0}"#,
                #"{"name":"orders","ip":"fd00::1","port":80,"tags":["blue"],"metadata":{},"ttl":0}"#,
                "\(orders)/x3 refused: leads to the name other.example, and only addresses can be registered",
                "\(orders)/x4 refused: has no port: --port says one",
                "\(orders)/x5 left out: has no host: it is no address",
                "/skydns/local/other/orders/x6 left out: is not in the zone cluster.local",
                "\(orders)/a/b/c refused: is more than three names below the zone: --zone says a lower one",
                "\(orders)/x7 refused: has a value that is no JSON object",
            ])
        #expect(try read(text).allSatisfy { $0.contains("--zone says which names become services") })
    }

    @Test func `our own formats are known by themselves, and keep what they have`() throws {
        let instance = #"{"name":"orders","ip":"10.0.0.1","port":80}"#
        for text in [instance, "[\(instance)]", #"{"services":[\#(instance)],"next_cursor":null}"#] {
            #expect(try read(text) == [instance])
        }
        #expect(try read("name,ip,port\norders,10.0.0.1,80\n") == [instance])
        let withTTL = #"{"name":"orders","ip":"10.0.0.1","port":80,"ttl":5}"#
        #expect(try read(instance, defaults: ImportDefaults(ttl: 5)) == [withTTL])
        #expect(try read(withTTL, defaults: ImportDefaults(ttl: 9)) == [withTTL])
        #expect(try read("[7]") == ["line 1 refused: must be an object, not a number"])
        #expect(try read("[{\"name\":\n\"a\"x}]") == ["line 2 refused: expected ',' or '}'"])
        #expect(try read("{\"name\":\"a\"}", .consul) == ["line 1 refused: no service of Consul's"])
        #expect(throws: CommandFailure.self) { try read("hello\nworld\n") }
    }
}
