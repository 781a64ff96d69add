import Engine
import Testing

@testable import ControlPlane

@Suite struct RegistrationDecoderTests {
    private let decoder = RegistrationDecoder(defaults: InstanceDefaults(ttlSeconds: 33, dnsTTL: 7))

    private func decode(_ json: String) throws -> Registration {
        try decoder.registration(try JSONParser.parse(Array(json.utf8)))
    }

    private func errors(_ json: String) throws -> [String] {
        do {
            _ = try decode(json)
            return []
        } catch let error as InvalidFields {
            return error.errors.map(\.field)
        }
    }

    private func errors(with field: String) throws -> [String] {
        try errors(#"{"name":"orders","ip":"10.0.0.1","port":80,\#(field)}"#)
    }

    @Test func `a short registration gets the defaults`() throws {
        let registration = try decode(#"{"name":"Orders","ip":"2001:DB8::0:1","port":80}"#)
        #expect(registration.name == "orders")
        #expect(registration.address.description == "2001:db8::1")
        #expect(registration.transport == .tcp)
        #expect(registration.weight == 100)
        #expect(registration.priority == 0)
        #expect(registration.ttlSeconds == 33)
        #expect(registration.dnsTTL == 7)
        #expect(registration.tags.isEmpty)
        #expect(registration.metadata.isEmpty)
        #expect(registration.id.count == 36)
    }

    @Test func `a full registration is taken as it is`() throws {
        let registration = try decode(
            #"""
            {"id":"A.b_c-1","name":"orders","ip":"10.0.0.1","port":65535,"protocol":"udp","tags":["V1","eu","v1"],
             "metadata":{"b":"2","a":""},"weight":0,"priority":65535,"ttl":0,"dns_ttl":86400,
             "status":"critical","registered_at":1,"last_heartbeat":null,"expires_at":{}}
            """#
        )
        #expect(registration.id == "A.b_c-1")
        #expect(registration.transport == .udp)
        #expect(registration.tags == ["v1", "eu"])
        #expect(registration.metadata == [MetadataEntry(key: "b", value: "2"), MetadataEntry(key: "a", value: "")])
        #expect(registration.ttlSeconds == 0)
        #expect(registration.priority == 65535)
    }

    @Test func `every bad field is named at once`() throws {
        let all = try errors(
            #"""
            {"id":"a b","name":"-a","ip":"1.2.3","port":0,"protocol":"sctp","tags":["ok","a.b",3],
             "metadata":{"ok":"x","bad":1},"weight":-1,"priority":65536,"ttl":2147483648,"dns_ttl":0,"checks":{},"colour":1}
            """#
        )
        #expect(
            all == [
                "id", "name", "ip", "port", "protocol", "tags[1]", "tags[2]", "metadata.bad", "weight", "priority",
                "ttl",
                "dns_ttl", "checks", "colour",
            ]
        )
        #expect(try errors("{}") == ["name", "ip", "port"])
        #expect(try errors("[]") == [""])
        #expect(try errors("null") == [""])
    }

    @Test(arguments: ["", ".", "..", "ä", "a/b", "a%", String(repeating: "a", count: 129)])
    func `an id of other characters or length is refused`(id: String) throws {
        #expect(try errors(with: "\"id\":\"\(id)\"") == ["id"])
    }

    @Test(arguments: [
        "", "-a", "a-", "a_b", "a.b", "ä", "addr", "NS", "a b", "a\\u0000", String(repeating: "a", count: 64),
    ])
    func `a name that is no label or means something else is refused`(name: String) throws {
        #expect(try errors(#"{"name":"\#(name)","ip":"10.0.0.1","port":80}"#) == ["name"])
    }

    @Test(arguments: [
        "", "0.0.0.0", "::", "224.0.0.1", "239.255.255.255", "ff02::1", "::ffff:10.0.0.1", "fe80::1%eth0", "10.0.0",
        "10.0.0.256",
        "10.0.0.1 ", "[::1]", "010.0.0.1", "1.2.3.4.5", "localhost",
    ]) func `an address that nobody can be reached at is refused`(ip: String) throws {
        #expect(try errors(#"{"name":"orders","ip":"\#(ip)","port":80}"#) == ["ip"])
    }

    @Test(arguments: ["\"80\"", "80.5", "1e400", "-1", "65536", "null", "true", "[80]", "99999999999999999999"])
    func `a port that is none is refused`(port: String) throws {
        #expect(try errors(#"{"name":"orders","ip":"10.0.0.1","port":\#(port)}"#) == ["port"])
    }

    @Test func `a number without a fraction is an integer however it is written`() throws {
        #expect(try decode(#"{"name":"orders","ip":"10.0.0.1","port":8.0e1}"#).port == 80)
    }

    @Test func `tags and metadata have limits`() throws {
        let tags = (0..<65).map { "\"t\($0)\"" }
        #expect(try errors(with: "\"tags\":[\(tags.prefix(64).joined(separator: ","))]") == [])
        #expect(try errors(with: "\"tags\":[\(tags.joined(separator: ","))]") == ["tags"])
        let keys = (0..<65).map { "\"k\($0)\":\"\"" }
        #expect(try errors(with: "\"metadata\":{\(keys.prefix(64).joined(separator: ","))}") == [])
        #expect(try errors(with: "\"metadata\":{\(keys.joined(separator: ","))}") == ["metadata"])
        let most = String(repeating: "x", count: 16 * 1024 - 1)
        #expect(try errors(with: "\"metadata\":{\"k\":\"\(most)\"}") == [])
        #expect(try errors(with: "\"metadata\":{\"kk\":\"\(most)\"}") == ["metadata"])
        #expect(try errors(with: "\"tags\":\"v1\"") == ["tags"])
        #expect(try errors(with: "\"metadata\":{\"a\":null},\"tags\":[null]") == ["metadata.a", "tags[0]"])
    }

    @Test(arguments: [
        ("weight", 0, 65_535), ("priority", 0, 65_535), ("ttl", 0, 2_147_483_647), ("dns_ttl", 1, 86_400),
    ])
    func `a number may be what it may be, and not one more or less`(field: String, least: Int, most: Int) throws {
        for value in [least, most] { #expect(try errors(with: "\"\(field)\":\(value)") == []) }
        for value in [least - 1, most + 1] { #expect(try errors(with: "\"\(field)\":\(value)") == [field]) }
    }

    @Test func `many errors are told in part`() throws {
        let tags = Array(repeating: "0", count: 64).joined(separator: ",")
        let unknown = (0..<1000).map { "\"u\($0)\":0" }.joined(separator: ",")
        #expect(try errors(with: "\"tags\":[\(tags)]").count == 20)
        #expect(try errors("{\(unknown),\"tags\":[\(tags)],\"metadata\":{\(unknown)}}").count == 20)
        let long = String(repeating: "\u{1}", count: 500_000).replacing("\u{1}", with: "\\u0001")
        let name = try #require(try errors("{\"\(long)\":0}").first)
        #expect(name.unicodeScalars.count == 129)
        let ids = Array(repeating: "0", count: 10_000).joined(separator: ",")
        let error = #expect(throws: InvalidFields.self) {
            try decoder.heartbeats(try JSONParser.parse(Array("{\"ids\":[\(ids)]}".utf8)))
        }
        #expect(error?.errors.count == 20)
    }

    @Test func `the errors of a batch are not many times as long as the batch`() throws {
        let tags = Array(repeating: "0", count: 64).joined(separator: ",")
        let items = Array(repeating: "{\"tags\":[\(tags)]}", count: 10_000).joined(separator: ",")
        let request = try decoder.batch(try JSONParser.parse(Array("{\"register\":[\(items)]}".utf8)))
        let counts = request.items.map { item in
            if case .failure(let invalid) = item { invalid.errors.count } else { 0 }
        }
        #expect(counts.count == 10_000 && counts.first == 20)
        #expect(counts.allSatisfy { $0 >= 1 } && counts.reduce(0, +) < 12_000)
    }

    @Test func `a change may be of some fields only`() throws {
        func patch(_ json: String) throws -> InstancePatch {
            try decoder.patch(try JSONParser.parse(Array(json.utf8)))
        }
        #expect(try patch("{}") == InstancePatch())
        #expect(
            try patch(#"{"weight":1,"priority":2,"tags":[],"metadata":{},"draining":true}"#)
                == InstancePatch(weight: 1, priority: 2, tags: [], metadata: [], isDraining: true)
        )
        for bad in [#"{"port":1}"#, #"{"weight":1,"ttl":3}"#, #"{"draining":"yes"}"#, #"{"status":"passing"}"#, "[]"] {
            #expect(throws: InvalidFields.self, "\(bad)") { try patch(bad) }
        }
    }

    @Test func `a batch has items that fail alone and limits that do not`() throws {
        func batch(_ json: String) throws -> [Bool] {
            try decoder.batch(try JSONParser.parse(Array(json.utf8))).items.map { item in
                if case .success = item { true } else { false }
            }
        }
        #expect(try batch("{}") == [])
        #expect(
            try batch(#"{"deregister":["x",7],"register":[{},{"name":"a","ip":"10.0.0.1","port":1}]}"#)
                == [false, true, true, false]
        )
        let ids = Array(repeating: "\"x\"", count: 10_001)
        #expect(try batch("{\"deregister\":[\(ids.dropLast().joined(separator: ","))]}").count == 10_000)
        for bad in ["[]", #"{"register":{}}"#, #"{"other":[]}"#, "{\"deregister\":[\(ids.joined(separator: ","))]}"] {
            #expect(throws: InvalidFields.self) { try batch(bad) }
        }
    }
}
