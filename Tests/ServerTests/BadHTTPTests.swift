import Testing

extension ServerTests {
    /// Requests that no client should send. Each has its own status, which is never 500.
    @Suite struct BadHTTPTests {
        private static let path = "/api/v1/services"
        private static let good = #"{"name":"orders","ip":"10.0.0.1","port":80,"ttl":0}"#

        @Test func `what is not JSON is 400, what breaks a rule 422, another type 415`() async throws {
            let open = String(repeating: "[", count: 500_000)
            let deep = open + String(repeating: "]", count: 500_000)
            let cases: [(status: Int, body: String, fields: [String])] = [
                (400, "", []), (400, "{", []), (400, "nul", []), (400, Self.good + "x", []), (400, "{'name':1}", []),
                (400, "{\"a\":\u{0}}", []), (400, "{}\u{feff}", []), (400, "{\"a\":\"\\ud800\"}", []), (400, open, []),
                (400, deep, []),
                (400, #"{"name":"a","name":"b"}"#, []), (400, "[1,]", []), (400, "01", []), (400, "NaN", []),
                (422, "{}", []), (422, "\u{feff}{}", []), (422, "[]", []), (422, "null", []), (422, #""text""#, []),
                (422, "5", []),
                (422, #"{"name":"a","ip":"10.0.0.1","port":1e999}"#, []),
                (422, #"{"name":"a","ip":"10.0.0.1","port":99999999999999999999999999999999}"#, []),
                (422, #"{"name":"a","ip":"10.0.0.1","port":80.5}"#, []),
                (422, #"{"name":"a\u0000","ip":"10.0.0.1","port":80}"#, []),
                (415, Self.good, ["Content-Type: text/plain"]), (415, Self.good, ["Content-Type: application/jsonx"]),
                (415, Self.good, ["Content-Type:"]),
                (415, Self.good, ["Content-Type: application/x-www-form-urlencoded"]),
                (201, Self.good, ["Content-Type: Application/JSON; charset=utf-8"]),
            ]
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                for (status, body, fields) in cases {
                    let response = try rest.request("POST", Self.path, body, fields: fields)
                    #expect(response.status == status, "\(body.prefix(100)) \(fields): \(response.text)")
                    guard status != 201 else { continue }
                    #expect(response.fields["content-type"] == "application/problem+json")
                    let problem = try response.decoded(as: Problem.self)
                    #expect(problem.status == status && !problem.title.isEmpty && !problem.detail.isEmpty)
                    #expect((problem.errors != nil) == (status == 422), "\(response.text)")
                }
                try rest.send(raw: "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
                #expect(try rest.receive().status == 415)
                // The octet 0xff occurs in no UTF-8 text.
                try rest.send("POST", Self.path, Array(#"{"name":""#.utf8) + [0xff] + Array(#""}"#.utf8))
                #expect(try rest.receive().status == 400)
                try server.expectWell()
            }
        }

        @Test func `a 422 names every bad field at once`() async throws {
            try await withServer { server in
                let body = """
                    {"id": "..", "name": "-a", "ip": "224.0.0.1", "port": 0, "protocol": "sctp", "tags": ["ok", "not ok"],
                    "metadata": {"a": 1}, "weight": 65536, "priority": -1, "ttl": 2147483648, "dns_ttl": 0, "color": "red",
                    "status": "ignored"}
                    """
                let response = try HTTPConnection(server.rest).request("POST", Self.path, body)
                #expect(response.status == 422)
                let fields = try response.decoded(as: Problem.self).errors?.map(\.field) ?? []
                #expect(
                    fields.sorted() == [
                        "color", "dns_ttl", "id", "ip", "metadata.a", "name", "port", "priority", "protocol", "tags[1]",
                        "ttl", "weight",
                    ]
                )
            }
        }

        @Test func `a change with one bad value changes nothing`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let id = try rest.register(Registration("orders", "10.0.0.1")).id
                for body in [
                    #"{"draining":true,"weight":-1}"#, #"{"draining":true,"port":81}"#, "[]", #"{"draining":1}"#,
                ] {
                    #expect(try rest.request("PATCH", "\(Self.path)/\(id)", body).status == 422)
                }
                #expect(try rest.request("PATCH", "\(Self.path)/unknown", "{}").status == 404)
                #expect(try rest.request("GET", "\(Self.path)/\(id)").decoded(as: Instance.self).status == "passing")
                #expect(try server.ask("orders.service.kong").texts == ["10.0.0.1"])
            }
        }

        @Test func `unknown paths are 404, other methods 405 with Allow, bad parameters 422`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let unknown = [
                    "/nothing", "/api", "/api/v1", "/api/v2/services", "//", "/api/v1/services/a/b",
                    "/api/v1/services/unknown",
                    "/api/v1/services/%00", "/api/v1/services/%zz", "/api/v1/services/..%2f..",
                    "/\(String(repeating: "a", count: 5000))",
                ]
                for path in unknown {
                    let response = try rest.request("GET", path)
                    #expect(response.status == 404, "\(path)")
                    #expect(response.fields["content-type"] == "application/problem+json")
                }
                let methods = [
                    ("DELETE", Self.path, "GET, HEAD, POST"), ("PUT", "\(Self.path)/a", "GET, HEAD, PATCH, DELETE"),
                    ("POST", "/ready", "GET, HEAD"), ("GET", "\(Self.path)/a/heartbeat", "PUT"),
                    ("GET", "/api/v1/heartbeats", "POST"), ("OPTIONS", Self.path, "GET, HEAD, POST"),
                ]
                for (method, path, allow) in methods {
                    let response = try rest.request(method, path)
                    #expect(response.status == 405 && response.fields["allow"] == allow, "\(method) \(path)")
                }
                for query in [
                    "limit=0", "limit=1001", "limit=x", "cursor=x", "status=well", "color=red", "limit=1&limit=2",
                    "name=%ff",
                ] {
                    #expect(try rest.request("GET", "\(Self.path)?\(query)").status == 422, "\(query)")
                }
                let head = try rest.request("HEAD", "/ready")
                #expect(head.status == 200 && head.body.isEmpty)
                #expect(try rest.request("GET", "/ready").status == 200)
            }
        }

        @Test func `a body of 1 MiB is read and one octet more is 413, which its sender can read`() async throws {
            func body(_ octets: Int) -> [UInt8] {
                // Whitespace may stand around JSON.
                Array(Self.good.utf8) + Array(repeating: UInt8(ascii: " "), count: octets - Self.good.utf8.count)
            }
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                try rest.send("POST", Self.path, body(1 << 20))
                #expect(try rest.receive().status == 201)
                for octets in [1 << 20 + 1, 8 << 20] {
                    let fixed = try HTTPConnection(server.rest)
                    try fixed.send("POST", Self.path, body(octets))
                    #expect(try fixed.receive().status == 413)

                    let chunked = try HTTPConnection(server.rest)
                    try chunked.send(raw: Self.chunkedHead)
                    for chunk in body(octets).chunked(by: 65_536) {
                        try chunked.send(raw: String(chunk.count, radix: 16) + "\r\n")
                        try chunked.socket.send(chunk + Array("\r\n".utf8))
                    }
                    try chunked.send(raw: "0\r\n\r\n")
                    #expect(try chunked.receive().status == 413)
                }
                try server.expectWell()
            }
        }

        private static let chunkedHead =
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

        @Test func `a batch may have 10,000 items and 16 MiB, and not more`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                let path = "\(Self.path)/batch"
                func body(_ octets: Int) -> [UInt8] {
                    let start = #"{"register":[\#(Self.good)]"#
                    return Array(start.utf8)
                        + Array(repeating: UInt8(ascii: "\n"), count: octets - start.utf8.count - 1) + [0x7d]
                }
                try rest.send("POST", path, body(16 << 20))
                let large = try rest.receive()
                #expect(large.status == 200, "\(large.text.prefix(300))")
                try rest.send("POST", path, body(16 << 20 + 1))
                #expect(try rest.receive().status == 413)

                let other = try HTTPConnection(server.rest)
                let many = (0..<10_000).map { Registration("many", "10.1.\($0 / 256).\($0 % 256)", port: 81) }
                #expect(try other.batch(register: many).count == 10_000)
                let tooMany = #"{"deregister":[\#(Array(repeating: "\"a\"", count: 10_001).joined(separator: ","))]}"#
                #expect(try other.request("POST", path, tooMany).status == 422)
                let beats = #"{"ids":[\#(Array(repeating: "\"a\"", count: 10_001).joined(separator: ","))]}"#
                #expect(try other.request("POST", "/api/v1/heartbeats", beats).status == 422)
                try server.expectWell()
            }
        }

        @Test func `chunks, pieces and pipelined requests are read as what they are`() async throws {
            try await withServer { server in
                let chunked = try HTTPConnection(server.rest)
                try chunked.send(raw: Self.chunkedHead)
                for octet in Self.good { try chunked.send(raw: "1\r\n\(octet)\r\n") }
                try chunked.send(raw: "0\r\n\r\n")
                #expect(try chunked.receive().status == 201)
                #expect(try chunked.request("GET", "/healthz").status == 200)

                // The request comes one octet at a time, while others are served.
                let slow = try HTTPConnection(server.rest)
                let request =
                    "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(Self.good.utf8.count)\r\n\r\n\(Self.good)"
                for octet in request {
                    try slow.send(raw: String(octet))
                    #expect(try chunked.request("GET", "/healthz").status == 200)
                }
                #expect(try slow.receive().status == 200)

                // A client that sends nothing more still wants its answer.
                let halfClosed = try HTTPConnection(server.rest)
                try halfClosed.send("POST", Self.path, Array(Self.good.utf8))
                halfClosed.socket.shutdownSending()
                #expect(try halfClosed.receive().status == 200)
                #expect(try halfClosed.isClosedByServer())

                let pipelined = try HTTPConnection(server.rest)
                for turn in 0..<50 {
                    try pipelined.send("GET", turn % 2 == 0 ? "/healthz" : "/nothing")
                    try pipelined.send("PUT", "\(Self.path)/unknown\(turn)/heartbeat", [])
                    try pipelined.send("POST", Self.path, Array("{}".utf8))
                }
                for turn in 0..<50 {
                    #expect(try pipelined.receive().status == (turn % 2 == 0 ? 200 : 404))
                    #expect(try pipelined.receive().text.contains("unknown\(turn)"))
                    #expect(try pipelined.receive().status == 422)
                }
            }
        }

        @Test func `what is no HTTP is refused and closes the connection`() async throws {
            let texts = [
                "GET\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: localhost\r\nbroken\r\n\r\n",
                "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
                "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "GET / HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 100_000))\r\n\r\n",
                "GET /\(String(repeating: "x", count: 200_000)) HTTP/1.1\r\n\r\n",
            ]
            try await withServer { server in
                for text in texts {
                    let connection = try HTTPConnection(server.rest)
                    try? connection.send(raw: text)
                    connection.socket.shutdownSending()
                    do {
                        let status = try connection.receive().status
                        #expect((400...499).contains(status), "\(text.prefix(60))")
                    } catch is HTTPConnection.Failure {
                        // It was closed without an answer.
                    } catch let error as SocketError where !error.isTimeout {
                        // It was reset.
                    }
                }
                try server.expectWell()
            }
        }

        @Test func `a client that reads nothing holds up nobody`() async throws {
            try await withServer { server in
                let rest = try HTTPConnection(server.rest)
                _ = try rest.batch(register: (0..<1000).map { Registration("s\($0)", "10.1.\($0 / 256).\($0 % 256)") })
                // Each of 8 clients asks for 50 answers of some 300 kB: more than socket buffers hold.
                let clients = try (0..<8).map { _ in try HTTPConnection(server.rest) }
                for client in clients {
                    for _ in 0..<50 { try client.send("GET", "\(Self.path)?limit=1000") }
                }
                for _ in 0..<20 { try server.expectWell() }
                #expect(try clients[0].receive().status == 200)
            }
        }
    }
}

extension Array {
    /// The elements in pieces of `count`. The last piece may be shorter.
    func chunked(by count: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}
