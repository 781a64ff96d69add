import Testing

@testable import ControlPlane

@Suite struct CheckFieldsTests {
    private func decode(_ json: String) throws -> (checks: [Check]?, errors: [String]) {
        var errors: [FieldError] = []
        let checks = InstanceFields.checks(try JSONParser.parse(Array(json.utf8)), &errors)
        return (checks, errors.map(\.field))
    }

    private func check(_ fields: String) throws -> Check? {
        let (checks, errors) = try decode("[{\"name\":\"c\",\(fields)}]")
        #expect(errors == [])
        return checks?.first
    }

    private func errors(_ fields: String) throws -> [String] {
        let (checks, errors) = try decode("[{\"name\":\"c\",\(fields)}]")
        #expect((checks == nil) == !errors.isEmpty)
        return errors.map { $0.replacing("checks[0].", with: "") }
    }

    @Test func `a short check gets the defaults`() throws {
        let check = try #require(try check(#""type":"http""#))
        #expect(check == Check(name: "c", kind: .http(HTTPCheck())))
        #expect(check.interval == .seconds(10))
        #expect(check.timeout == .seconds(2))
        #expect((check.rise, check.fall) == (2, 3))
        #expect(check.initial == .passing)
        #expect(check.deregisterAfter == nil)
        #expect(try self.check(#""type":"grpc""#)?.kind == .grpc(GRPCCheck()))
        #expect(try self.check(#""type":"tls""#)?.kind == .tls(TLSCheck()))
        #expect(try self.check(#""type":"tcp","port":null"#)?.kind == .tcp(port: nil))
    }

    @Test func `the default timeout is no longer than the interval`() throws {
        #expect(try check(#""type":"tcp","interval":"1s""#)?.timeout == .seconds(1))
        #expect(try errors(#""type":"tcp","interval":"1s","timeout":"2s""#) == ["timeout"])
    }

    @Test func `durations are text, or whole seconds`() throws {
        let check = try check(#""type":"tcp","interval":120,"timeout":"500ms","deregister_after":"2h""#)
        #expect(check?.interval == .seconds(120))
        #expect(check?.timeout == .milliseconds(500))
        #expect(check?.deregisterAfter == .seconds(7200))
        for bad in ["0", "-1", "1.5", "\"\"", "\"10\"", "\"999ms\"", "3601", "\"2h\"", "9223372036854775807", "true"] {
            #expect(try errors("\"type\":\"tcp\",\"interval\":\(bad)") == ["interval"])
        }
        #expect(try errors(#""type":"tcp","deregister_after":"9s""#) == ["deregister_after"])
        #expect(try errors(#""type":"tcp","deregister_after":"721h""#) == ["deregister_after"])
        #expect(try errors(#""type":"tcp","timeout":"0ms""#) == ["timeout"])
    }

    @Test func `every bad field is named at once, each with its check`() throws {
        let (checks, errors) = try decode(
            #"""
            [{"name":"a","type":"tcp"},
             {"name":"a","type":"tcp","timeout":"1h","rise":0,"fall":101,"initial":"warning","path":"/","colour":1},
             {"type":"magic","interval":"x"},
             7,
             {"name":"b","type":"ttl"}]
            """#)
        #expect(checks == nil)
        #expect(
            errors == [
                "checks[1].path", "checks[1].colour", "checks[1].timeout", "checks[1].rise", "checks[1].fall",
                "checks[1].initial", "checks[1].name", "checks[2].type", "checks[2].name", "checks[2].interval",
                "checks[3]", "checks[4].ttl",
            ])
    }

    @Test(arguments: [
        (#""path":"x""#, "path"), (#""path":"/a b""#, "path"), (#""path":"/\u0000""#, "path"),
        (#""path":"/ä""#, "path"), (#""path":"/#x""#, "path"), (#""path":"/\r\nX: y""#, "path"),
        (#""method":"POST""#, "method"), (#""method":"get""#, "method"),
        (#""host":"a b""#, "host"), (#""host":"u@h""#, "host"), (#""host":"h:99999""#, "host"), (#""host":"""#, "host"),
        (#""host":"h/x""#, "host"), (#""host":"a\r\nb""#, "host"),
        (#""expect":"""#, "expect"), (#""expect":"99""#, "expect"), (#""expect":"299-200""#, "expect"),
        (#""expect":"200-""#, "expect"), (#""expect":"200,""#, "expect"), (#""expect":"2xx""#, "expect"),
        (#""expect":600"#, "expect"), (#""expect":[200]"#, "expect"),
        (#""body":"""#, "body"), (#""body":"x","method":"HEAD""#, "body"),
        (#""verify":true"#, "verify"), (#""ttl":"1s""#, "ttl"), (#""service":"x""#, "service"),
        (#""port":0"#, "port"), (#""port":65536"#, "port"), (#""port":"80""#, "port"),
        (#""headers":[]"#, "headers"), (#""headers":{"X":1}"#, "headers.X"),
        (#""headers":{"Host":"x"}"#, "headers.Host"), (#""headers":{"content-LENGTH":"1"}"#, "headers.content-LENGTH"),
        (#""headers":{"Transfer-Encoding":"chunked"}"#, "headers.Transfer-Encoding"),
        (#""headers":{"Connection":"x"}"#, "headers.Connection"), (#""headers":{"Expect":"x"}"#, "headers.Expect"),
        (#""headers":{"Upgrade":"x"}"#, "headers.Upgrade"),
        (#""headers":{"Proxy-Authorization":"x"}"#, "headers.Proxy-Authorization"),
        (#""headers":{"X":"a\r\nY: b"}"#, "headers.X"), (#""headers":{"a b":""}"#, "headers.a b"),
        (#""headers":{"X":" "}"#, "headers.X"), (#""headers":{"X":"ä"}"#, "headers.X"),
        (#""headers":{"":"x"}"#, "headers."), (#""headers":{"X":"1","x":"2"}"#, "headers.x"),
    ])
    func `a bad field of an HTTP check is refused`(fields: String, field: String) throws {
        #expect(try errors("\"type\":\"http\",\(fields)") == [field])
    }

    @Test(arguments: [
        (#""type":"tls","server_name":"a:1""#, "server_name"), (#""type":"tls","server_name":"[::1]""#, "server_name"),
        (#""type":"tls","host":"a""#, "host"), (#""type":"tls","verify":"no""#, "verify"),
        (#""type":"grpc","service":"a b""#, "service"), (#""type":"grpc","verify":false"#, "verify"),
        (#""type":"grpc","server_name":"a""#, "server_name"), (#""type":"grpc","tls":1"#, "tls"),
        (#""type":"ttl","ttl":"169h""#, "ttl"), (#""type":"ttl","ttl":"1m","port":1"#, "port"),
        (#""type":"TCP""#, "type"), (#""type":5"#, "type"), (#""type":"tcp","rise":1.5"#, "rise"),
    ])
    func `a bad field of another check is refused`(fields: String, field: String) throws {
        #expect(try errors(fields) == [field])
    }

    @Test(arguments: ["", ".", "..", "a/b", "ä", "a b", String(repeating: "a", count: 65)])
    func `a name of other characters or length is refused`(name: String) throws {
        #expect(try decode("[{\"name\":\"\(name)\",\"type\":\"tcp\"}]").errors == ["checks[0].name"])
    }

    @Test func `number and size have limits`() throws {
        func list(_ count: Int, _ fields: String) -> String {
            "[" + (0..<count).map { "{\"name\":\"c\($0)\",\"type\":\"http\"\(fields)}" }.joined(separator: ",") + "]"
        }
        #expect(try decode(list(8, "")).checks?.count == 8)
        #expect(try decode(list(9, "")).errors == ["checks"])
        let body = ",\"body\":\"\(String(repeating: "x", count: 4096))\""
        #expect(try decode(list(3, body)).checks?.count == 3)
        #expect(try decode(list(4, body)).errors == ["checks"])
        #expect(try errors("\"type\":\"http\",\"body\":\"\(String(repeating: "x", count: 4097))\"") == ["body"])
        #expect(try errors("\"type\":\"http\",\"path\":\"/\(String(repeating: "x", count: 2048))\"") == ["path"])
        let fields = (0..<17).map { "\"X\($0)\":\"\"" }
        #expect(try errors("\"type\":\"http\",\"headers\":{\(fields.prefix(16).joined(separator: ","))}") == [])
        #expect(try errors("\"type\":\"http\",\"headers\":{\(fields.joined(separator: ","))}") == ["headers"])
        let long = String(repeating: "x", count: 4096)
        #expect(try errors("\"type\":\"http\",\"headers\":{\"X\":\"\(long)\"}") == ["headers"])
        #expect(try decode("{}").errors == ["checks"])
    }

    @Test(arguments: [
        #""type":"http""#,
        #""type":"http","path":"/h?x=\"\\","method":"HEAD","host":"[::1]:80","headers":{"X-A":"b \"c\"","Empty":""}"#,
        #""type":"https","expect":"200,204, 300-399","body":"\"ok\"\n\u0001ä","verify":false,"port":8443"#,
        #""type":"https","expect":204,"host":"Shop.example","interval":"90s","timeout":"1500ms","deregister_after":"1h""#,
        #""type":"tcp","port":1,"rise":1,"fall":100,"initial":"critical""#,
        #""type":"tls","server_name":"a.example","verify":false"#, #""type":"tls","server_name":"::1","port":65535"#,
        #""type":"grpc","service":"a.B","port":9"#,
        #""type":"grpc","tls":true,"verify":false,"server_name":"x""#,
        #""type":"ttl","ttl":"36h","interval":"1h""#,
    ])
    func `what is written reads back equal, and what a GET adds is ignored`(fields: String) throws {
        let check = try #require(try check(fields))
        var writer = JSONWriter()
        writer.checks([check])
        #expect(try decode(String(decoding: writer.octets, as: UTF8.self)).checks == [check])

        writer = JSONWriter()
        writer.beginArray()
        writer.beginObject()
        writer.checkMembers(check)
        for field in ["status", "since", "output", "duration_ms", "checked_at"] {
            writer.member(field)
            writer.string("x")
        }
        writer.endObject()
        writer.endArray()
        #expect(try decode(String(decoding: writer.octets, as: UTF8.self)).checks == [check])
    }
}
