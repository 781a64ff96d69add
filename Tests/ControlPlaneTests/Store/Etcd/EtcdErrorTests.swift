import Testing

@testable import ControlPlane

/// How answers are read in which etcd, its gateway, or a proxy in front of them reports an error.
@Suite struct EtcdErrorTests {
    private static func error(_ body: String, _ status: Int = 400) -> EtcdError {
        EtcdError(body: Array(body.utf8), status: status)
    }

    @Test func `what etcd says decides what is done`() {
        let cases: [(body: String, status: Int, kind: EtcdError.Kind)] = [
            (#"{"error":"etcdserver: authentication is not enabled","code":9}"#, 412, .authenticationDisabled),
            (#"{"error":"etcdserver: user name is empty","code":3}"#, 400, .unauthenticated),
            (#"{"error":"etcdserver: invalid auth token","code":16}"#, 401, .unauthenticated),
            (#"{"error":"etcdserver: revision of auth store is old","code":3}"#, 400, .unauthenticated),
            (#"{"error":"etcdserver: key is not provided","code":3}"#, 400, .rejected),
            (#"{"error":"etcdserver: requested lease not found","code":5}"#, 404, .noSuchLease),
            (#"{"error":"etcdserver: no leader","code":14}"#, 503, .unavailable),
            (#"{"error":"etcdserver: mvcc: database space exceeded","code":8}"#, 429, .exhausted),
            (#"{"error":"etcdserver: permission denied","code":7}"#, 403, .rejected),
            ("<html>Bad Gateway</html>", 502, .unavailable),
            ("", 400, .rejected),
        ]
        for (body, status, kind) in cases {
            #expect(Self.error(body, status).kind == kind, "\(body)")
        }
        #expect(Self.error(#"{"error":"etcdserver: no leader","code":14}"#).reason == "etcdserver: no leader")
    }

    @Test func `what is no JSON is told as it is`() {
        let text = "CommonName of client sending a request against gateway will be ignored and not used as expected\n"
        #expect(Self.error(text).reason == "HTTP status 400: \(text.dropLast())")
        #expect(
            Self.error("<html>\r\n  <b>Bad\tGateway</b>\n", 502).reason == "HTTP status 502: <html> <b>Bad Gateway</b>")
        #expect(Self.error("", 502).reason == "HTTP status 502")
        #expect(Self.error(" \n ", 502).reason == "HTTP status 502")
        #expect(Self.error(#"{"reason":"none"}"#, 500).reason == #"HTTP status 500: {"reason":"none"}"#)
    }

    @Test func `a text is short and printable, whatever it was`() throws {
        let octets = (0...255 as ClosedRange<UInt8>).map { $0 } + Array(repeating: UInt8(ascii: "x"), count: 1 << 20)
        for body in [octets, Array(#"{"error":"\u0000\u001b[31m\#(String(repeating: "ä", count: 70_000))"}"#.utf8)] {
            let reason = EtcdError(body: body, status: 400).reason
            #expect(reason.utf8.count < 300 && reason.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        }
        let long = String(repeating: "y", count: 5000)
        let messages = [
            #"{"error":{"message":"\#(long)\n"}}"#, #"{"result":{"canceled":true,"cancel_reason":"\#(long)\n"}}"#,
        ]
        for message in messages {
            let read = try EtcdStreamMessage(try JSONParser.parse(Array(message.utf8)))
            let text = try #require(read.problem ?? read.result.cancelReason)
            #expect(text.utf8.count < 300 && !text.contains("\n"))
        }
    }
}
