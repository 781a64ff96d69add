import Engine
import Glibc
import Synchronization
import Testing

@testable import ControlPlane

/// Runs against real targets, good and hostile ones.
@Suite struct ProbeTests {
    /// Does one run of a check.
    private func probe(
        _ kind: Check.Kind, _ port: Int, at address: IPAddress = .v4(0x7F00_0001), timeout: Duration = .seconds(20),
        authorities: String = ""
    ) throws -> CheckResult {
        let check = Check(name: "c", kind: kind, interval: .seconds(60), timeout: timeout)
        let request = try #require(
            ProbeRequest(check, address: address, instancePort: UInt16(port)))
        let waker = try #require(ProbeWaker())
        let multi = try #require(ProbeMulti(maximumConcurrent: 1, waker: waker))
        let easy = try #require(ProbeEasy())
        let run = ProbeRun(id: 1, check: check, request: request, startedAt: .now)
        #expect(easy.begin(run, authorities: authorities) == nil)
        #expect(multi.add(easy))
        while true {
            multi.turn(atMost: .seconds(60))
            guard let (finished, code) = multi.nextFinished() else { continue }
            multi.remove(finished)
            return try #require(finished.finish(code, now: .now)).1
        }
    }

    /// A server stays until the run has ended.
    private func probe(
        _ kind: Check.Kind, _ server: ScriptedServer, timeout: Duration = .seconds(20)
    ) throws -> CheckResult {
        try withExtendedLifetime(server) { try probe(kind, server.port, timeout: timeout) }
    }

    private func server(_ answer: String) throws -> ScriptedServer {
        try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write(answer)
        }
    }

    private func probe(_ http: HTTPCheck = HTTPCheck(), answer: String) throws -> CheckResult {
        let server = try server(answer)
        return try probe(.http(http), server)
    }

    @Test(arguments: [
        (200, "200-299", true), (299, "200-299", true), (300, "200-299", false), (301, "200-299", false),
        (404, "404", true), (503, "200,204,300-399", false), (302, "200,204,300-399", true),
    ])
    func `the status decides`(status: Int, expect: String, isGood: Bool) throws {
        let expect = try #require(ExpectedStatuses(expect))
        let result = try probe(
            HTTPCheck(expect: expect),
            answer: "HTTP/1.1 \(status) X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        #expect(result.outcome == (isGood ? .success : .failure))
        #expect(result.output == "HTTP \(status)")
    }

    @Test func `the request is as the check says`() throws {
        let heads = Note<[String]>([])
        let server = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            heads.change { $0.append(request.head) }
            connection.respond()
        }
        let path = #"/../a/./b?q="<>\^`{|}~&%zz[1-3]"#
        let http = HTTPCheck(
            path: path, host: "shop.example:99",
            headers: [HTTPCheck.Field(name: "X-A", value: "b; c"), HTTPCheck.Field(name: "X-Empty", value: "")])
        #expect(try probe(.http(http), server).outcome == .success)
        var lines = heads.value[0].split(separator: "\n")
        #expect(lines.removeFirst() == "GET \(path) HTTP/1.1")
        #expect(
            Set(lines) == [
                "host: shop.example:99", "accept: */*", "x-a: b; c", "x-empty:", "connection: close",
                "user-agent: kong-discovery-check",
            ])
        #expect(try probe(.http(HTTPCheck(method: .head)), server).outcome == .success)
        #expect(heads.value[1].hasPrefix("HEAD / HTTP/1.1\n"))
        #expect(heads.value[1].contains("host: 127.0.0.1:\(server.port)"))
    }

    @Test func `a text in the body is found in its first 64 KiB, and what the target says is not shown`() throws {
        func output(_ body: String) throws -> CheckResult {
            try probe(
                HTTPCheck(body: "all is well"),
                answer: "HTTP/1.1 200 <b>\r\nX: secret\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        #expect(try output("…all is well…").outcome == .success)
        let missing = try output("secret")
        #expect(missing.outcome == .failure)
        #expect(missing.output == "HTTP 200, without the expected text")
        let padding = String(repeating: "x", count: 65_536 - 11)
        #expect(try output(padding + "all is well" + padding).outcome == .success)
        #expect(try output(padding + "xall is well" + padding).outcome == .failure)
    }

    @Test func `a body without an end is read up to a limit`() throws {
        let sent = Note(0)
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            let piece = [UInt8](repeating: 0x78, count: 65_536)
            while connection.write(piece) { sent.change { $0 += 65_536 } }
        }
        let result = try probe(.http(HTTPCheck()), server)
        #expect(result.outcome == .success)
        #expect(result.output == "HTTP 200")
    }

    @Test func `a target that accepts and says nothing, or drips, is out of time`() throws {
        let silent = try ScriptedServer { $0.waitForEnd() }
        let short = Duration.milliseconds(200)
        for kind in [.http(HTTPCheck()), .http(HTTPCheck(usesTLS: true)), .tls(TLSCheck()), .grpc(GRPCCheck())]
            as [Check.Kind]
        {
            let result = try probe(kind, silent, timeout: short)
            #expect(result.outcome == .silence)
            #expect(result.output == "no answer within 200ms")
        }
        let dripping = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while connection.write("x") { usleep(10_000) }
        }
        let result = try probe(.http(HTTPCheck()), dripping, timeout: short)
        #expect(result.outcome == .silence)
        #expect(result.duration < .seconds(15))
    }

    @Test func `an endless row of 100-continue ends at the limit of heads`() throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            while connection.write("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n") {}
        }
        #expect(try probe(.http(HTTPCheck()), server).output == "a head of more than 65536 octets")
    }

    @Test func `an endless head, and an endless line, end at a limit`() throws {
        for line in ["X: y\r\n", "xxxxxxxxxxxxxxxx"] {
            let server = try ScriptedServer { connection in
                guard connection.readRequest() != nil else { return }
                connection.write("HTTP/1.1 200 OK\r\n")
                let many = String(repeating: line, count: 1000)
                while connection.write(many) {}
            }
            let result = try probe(.http(HTTPCheck()), server)
            #expect(result.outcome == .failure)
            #expect(result.output == "a head of more than 65536 octets")
        }
    }

    @Test(arguments: [
        ("hello", "the answer is not HTTP/1"), ("", "the connection was closed before the answer was complete"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxy", "the connection was closed before the answer was complete"),
        ("HTTP/9.9 200 OK\r\n\r\n", "the answer is not HTTP/1"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", nil),
        ("\u{16}\u{3}\u{1}", "the answer is not HTTP/1"), ("HTTP/1.1 200 OK\r\nTransfer-Encoding: magic\r\n\r\nx", nil),
    ])
    func `an answer that is none is a failure`(answer: String, output: String?) throws {
        let result = try probe(answer: answer)
        #expect(result.outcome == .failure, "\(result)")
        if let output { #expect(result.output == output) }
    }

    @Test func `nobody listens, or the connection is reset`() throws {
        let port = try ScriptedServer { _ in }.port
        for kind in [.tcp(port: nil), .tls(TLSCheck()), .http(HTTPCheck()), .grpc(GRPCCheck())] as [Check.Kind] {
            let result = try probe(kind, port)
            #expect(result.outcome == .failure)
            #expect(result.output == "connection refused")
        }
        let resetting = try ScriptedServer { $0.reset() }
        let result = try probe(.http(HTTPCheck()), resetting)
        #expect(result.outcome == .failure, "\(result)")
    }

    @Test func `a connection that is accepted is enough for tcp`() throws {
        let server = try ScriptedServer { $0.waitForEnd() }
        let result = try probe(.tcp(port: nil), server)
        #expect(result.outcome == .success)
        #expect(result.output == "connected")
        #expect(result.duration > .zero)
    }

    @Test func `certificates are verified, for the name that the check has`() throws {
        let authority = try TestAuthority()
        let other = try TestAuthority()
        try authority.sign("good", "DNS:shop.example,IP:127.0.0.1")
        try authority.sign("named", "DNS:shop.example")
        try authority.signExpired("old", "IP:127.0.0.1")
        let trusted = authority.path("authority.pem")

        func outputs(_ certificate: String, name: String?, verify: Bool = true, of authority: TestAuthority)
            throws -> [CheckResult]
        {
            let server = try TLSServer(certificate, of: authority)
            let kinds: [Check.Kind] = [
                .tls(TLSCheck(serverName: name, verify: verify)),
                .http(HTTPCheck(usesTLS: true, host: name, verify: verify)),
            ]
            return try withExtendedLifetime(server) {
                try kinds.map { try probe($0, server.port, authorities: trusted) }
            }
        }

        #expect(try outputs("good", name: nil, of: authority).map(\.output) == ["TLS connected", "HTTP 200"])
        #expect(try outputs("named", name: "shop.example", of: authority).map(\.outcome) == [.success, .success])
        let wrong = try outputs("named", name: nil, of: authority) + outputs("good", name: "x.example", of: authority)
        #expect(wrong.map(\.output) == Array(repeating: "certificate: for another name", count: 4))
        #expect(
            try outputs("old", name: nil, of: authority).map(\.output) == [
                "certificate: expired", "certificate: expired",
            ])
        for result in try outputs("authority", name: nil, of: other) {
            #expect(result.output == "certificate: self-signed")
        }
        for (certificate, of) in [("old", authority), ("authority", other)] {
            let results = try outputs(certificate, name: "x.example", verify: false, of: of)
            #expect(results.map(\.outcome) == [.success, .success])
        }
    }

    @Test func `an IPv6 address is connected to like any other`() throws {
        let authority = try TestAuthority()
        try authority.sign("six", "IP:::1,DNS:shop.example")
        let trusted = authority.path("authority.pem")
        let server = try TLSServer("six", of: authority, at: "[::1]")
        let kinds: [Check.Kind] = [
            .tcp(port: nil), .tls(TLSCheck()), .http(HTTPCheck(usesTLS: true)),
            .http(HTTPCheck(usesTLS: true, host: "shop.example")),
        ]
        let results = try withExtendedLifetime(server) {
            try kinds.map { try probe($0, server.port, at: .v6(0, 1), authorities: trusted) }
        }
        #expect(results.map(\.output) == ["connected", "TLS connected", "HTTP 200", "HTTP 200"])
    }

    @Test func `TLS against a target without it, and the other way round`() throws {
        let plain = try ScriptedServer { connection in
            connection.write("HTTP/1.1 400 no\r\n\r\n")
            connection.waitForEnd()
        }
        #expect(try probe(.http(HTTPCheck(usesTLS: true)), plain).output == "the TLS handshake failed")
        let authority = try TestAuthority()
        let secure = try TLSServer("authority", of: authority)
        let result = try withExtendedLifetime(secure) { try probe(.http(HTTPCheck()), secure.port) }
        #expect(result.outcome == .failure)
    }

    @Test(arguments: [
        ([UInt8]([0, 0, 0, 0, 2, 8, 1]), "0", CheckResult.Outcome.success, "SERVING"),
        ([0, 0, 0, 0, 2, 8, 2], "0", .failure, "NOT_SERVING"),
        ([0, 0, 0, 0, 0], "0", .failure, "UNKNOWN"),
        ([], "5", .failure, "gRPC NOT_FOUND"),
        ([], "12", .failure, "gRPC UNIMPLEMENTED"),
        ([], "99", .failure, "gRPC 99"),
        ([], "secret", .failure, "the answer is not gRPC"),
        ([0, 0, 0, 0, 2, 8, 1], "", .failure, "the answer is not gRPC"),
        ([1, 0, 0, 0, 2, 8, 1], "0", .failure, "the answer is not one of grpc.health.v1"),
        ([UInt8](repeating: 0, count: 5000), "0", .failure, "the answer is not gRPC"),
    ])
    func `gRPC over plain HTTP/2`(message: [UInt8], status: String, outcome: CheckResult.Outcome, output: String) throws
    {
        let calls = Note<[[UInt8]]>([])
        let server = try ScriptedServer { connection in
            calls.change { $0.append(HTTP2Target.serve(connection, message: message, status: status)) }
        }
        let result = try probe(.grpc(GRPCCheck(service: "a.B")), server)
        #expect(result.outcome == outcome)
        #expect(result.output == output)
    }

    @Test func `gRPC against a target that speaks HTTP/1, or no HTTP`() throws {
        for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "hello, who is there?"] {
            let server = try ScriptedServer { connection in
                connection.write(answer)
                connection.waitForEnd()
            }
            let result = try probe(.grpc(GRPCCheck()), server, timeout: .seconds(20))
            #expect(result.outcome == .failure, "\(result)")
        }
    }
}
