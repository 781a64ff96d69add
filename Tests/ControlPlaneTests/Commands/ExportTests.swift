import Testing
import Yams

@testable import ControlPlane

/// What is written for other programs.
@Suite struct ExportTests {
    private func instance(
        _ ip: String, _ status: String = "passing", weight: Int = 100, priority: Int = 0, port: Int = 80
    ) throws -> JSONReading {
        let text =
            #"{"ip":"\#(ip)","port":\#(port),"status":"\#(status)","weight":\#(weight),"priority":\#(priority)}"#
        return JSONReading(try JSONParser.parse(Array(text.utf8)))
    }

    private func weights(_ instances: [JSONReading]) throws -> [String: Int] {
        let text = DeckFile.head + DeckFile.upstream("orders", instances, domain: "service.kong", isFirst: true)
        let file = try #require(try Yams.load(yaml: text) as? [String: Any])
        #expect(file["_format_version"] as? String == "3.0")
        #expect((file["_info"] as? [String: [String]])?["select_tags"] == ["kong-discovery"])
        let upstreams = try #require(file["upstreams"] as? [[String: Any]])
        #expect(upstreams.map { $0["name"] as? String } == ["orders.service.kong"])
        #expect(upstreams[0]["tags"] as? [String] == ["kong-discovery"])
        let targets = try #require(upstreams[0]["targets"] as? [[String: Any]])
        return Dictionary(
            uniqueKeysWithValues: targets.map { ($0["target"] as? String ?? "", $0["weight"] as? Int ?? -1) })
    }

    @Test func `a decK file sends traffic where DNS does`() throws {
        let instances = [
            try instance("10.0.0.1", weight: 10), try instance("fd00::1", "warning"),
            try instance("10.0.0.3", "critical"),
            try instance("10.0.0.4", "draining"), try instance("10.0.0.5", priority: 1),
            try instance("10.0.0.6", weight: 0),
            try instance("10.0.0.1", weight: 30),
        ]
        #expect(
            try weights(instances) == [
                "10.0.0.1:80": 30, "[fd00::1]:80": 100, "10.0.0.3:80": 0, "10.0.0.4:80": 0, "10.0.0.5:80": 0,
                "10.0.0.6:80": 0,
            ])
        // Those that stand by, when there are no others.
        #expect(
            try weights([instance("10.0.0.1", weight: 0), instance("10.0.0.2", "critical")]) == [
                "10.0.0.1:80": 1, "10.0.0.2:80": 0,
            ])
        #expect(try weights([instance("10.0.0.1", "critical")]) == ["10.0.0.1:80": 0])
    }

    @Test func `a hosts file has each healthy address once`() throws {
        let instances = [
            try instance("10.0.0.1"), try instance("10.0.0.1", port: 81), try instance("fd00::1", "warning"),
            try instance("10.0.0.3", "draining"), try instance("10.0.0.4", "critical"),
            // What DNS leaves out: those that stand by, and those of a worse priority.
            try instance("10.0.0.5", weight: 0), try instance("10.0.0.6", priority: 1),
        ]
        #expect(
            HostsFile.lines("orders", instances, domain: "service.kong") == [
                "10.0.0.1\torders.service.kong", "fd00::1\torders.service.kong",
            ])
    }

    @Test func `an exported instance has what another server needs, and no derived id`() throws {
        func exported(_ id: String) throws -> String {
            let text =
                #"{"id":"\#(id)","name":"orders","ip":"10.0.0.1","port":8080,"protocol":"tcp","#
                + #""checks":[{"name":"a","type":"ttl","ttl":"1h","status":"passing","since":"x","output":"y","#
                + #""duration_ms":null,"checked_at":null}],"status":"passing","registered_at":"x","#
                + #""last_heartbeat":"x","expires_at":null}"#
            let json = ExportedInstance(JSONReading(try JSONParser.parse(Array(text.utf8)))).json
            return String(decoding: json.encoded, as: UTF8.self)
        }
        let rest =
            #""name":"orders","ip":"10.0.0.1","port":8080,"protocol":"tcp","#
            + #""checks":[{"name":"a","type":"ttl","ttl":"1h"}],"status":"passing"}"#
        #expect(try exported("o1") == #"{"id":"o1","# + rest)
        #expect(try exported("e365f091-bc11-5054-a52b-e2cc02a9983c") == "{" + rest)
    }
}
