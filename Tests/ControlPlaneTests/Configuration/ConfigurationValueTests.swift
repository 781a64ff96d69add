import Engine
import Testing

@testable import ControlPlane

/// The values themselves: what is read, and what is out of range.
@Suite struct ConfigurationValueTests {
    @Test(arguments: [
        ("10ms", Duration.milliseconds(10)), ("500ms", .milliseconds(500)), ("1500ms", .milliseconds(1500)),
        ("5s", .seconds(5)), ("2m", .seconds(120)), ("1h", .seconds(3600)),
    ])
    func `a duration is read`(text: String, duration: Duration) throws {
        let loaded = try LoadedConfiguration(yaml: "heartbeat: {cleanup_interval: \(text)}", file: "test.yaml")
        #expect(loaded.configuration.heartbeat.cleanupInterval == duration)
        #expect(duration.configurationText == text)
    }

    @Test(arguments: ["5", "s", "5 s", "-5s", "1.5s", "1h30m", "5S", "5d", "", "٥s", "5s ", "+5s"])
    func `what is not a duration is refused`(text: String) {
        let found = problems(in: "heartbeat: {cleanup_interval: \"\(text)\"}")
        #expect(found.count == 1)
        #expect(found.first?.contains("'\(text)' is not a duration") == true)
    }

    @Test(arguments: [
        ("dns.ttl", "999ms", "too small: 1s"), ("dns.ttl", "25h", "too large: 24h"),
        ("dns.ttl", "1001ms", "not a number of whole seconds"), ("dns.negative_ttl", "0s", "too small: 1s"),
        ("dns.udp_payload", "511", "too small: 512"), ("dns.udp_payload", "4097", "too large: 4096"),
        ("dns.workers", "257", "too large: 256"), ("dns.tcp.max_connections", "0", "too small: 1"),
        ("dns.tcp.max_per_client", "0", "too small: 1"), ("dns.tcp.max_queries", "-1", "too small: 0"),
        ("dns.tcp.idle_timeout", "0s", "too small: 100ms"), ("heartbeat.cleanup_interval", "9ms", "too small: 10ms"),
        ("heartbeat.timeout", "0s", "too small: 1s"), ("heartbeat.timeout", "1500ms", "not a number of whole seconds"),
        ("heartbeat.timeout", "99999999999999999999h", "too large: 2147483647s"),
        ("heartbeat.mass_expiry_brake", "1.01", "too large: 1"), ("heartbeat.mass_expiry_brake", "nan", "not a number"),
        ("heartbeat.mass_expiry_brake", "0x1", "not a number"),
    ])
    func `what is out of range is refused with the bound`(path: String, text: String, reason: String) throws {
        let found = problems(in: ConfigurationKeyTests.yaml(path, text))
        #expect(found.count == 1)
        let problem = try #require(found.first)
        #expect(problem.contains("\(path): '\(text)' is \(reason)"))
    }

    @Test(arguments: [
        ("service.kong", "service.kong"), ("Service.KONG.", "service.kong"), ("kong", "kong"), ("1.a-b.c", "1.a-b.c"),
        (longDomain, longDomain),
    ])
    func `a domain is read in lower case without its trailing dot`(text: String, domain: String) throws {
        let loaded = try LoadedConfiguration(yaml: "dns: {domain: '\(text)'}", file: "test.yaml")
        #expect(loaded.configuration.dns.domain == domain)
    }

    @Test(arguments: [
        "", ".", "a..b", ".a", "a..", "-a.b", "a-.b", "a_b", "a b", "ü.kong", "a.*", "\u{212A}.kong",
        String(repeating: "a", count: 64), longDomain + "a",
    ])
    func `what is not a domain is refused`(text: String) {
        let found = problems(in: "dns: {domain: '\(text)'}")
        #expect(found.count == 1)
        #expect(found.first?.contains("dns.domain: '") == true)
    }

    /// 125 octets: 127 on the wire.
    static let longDomain = String(repeating: "a", count: 62) + "." + String(repeating: "b", count: 62)

    @Test(arguments: [
        "127.0.0.1", ":8600", "127.0.0.1:", "127.0.0.1:65536", "::1:8600", "[127.0.0.1]:8600", "localhost:8600",
        "224.0.0.1:53", "[::ffff:127.0.0.1]:53", "127.0.0.1:-1", "[fe80::1%eth0]:53",
    ])
    func `what can't be listened on is refused`(text: String) {
        let found = problems(in: "server: {listen: '\(text)'}")
        #expect(found.count == 1)
        #expect(found.first?.contains("server.listen: '\(text)'") == true)
    }

    @Test func `an address is listened on once`() {
        #expect(
            problems(in: "dns: {listen: [127.0.0.1:8600, '[::1]:8600', 127.0.0.1:8600]}")
                == ["dns.listen: '127.0.0.1:8600' is given more than once"]
        )
        #expect(
            problems(in: "server: {listen: 127.0.0.1:8600}")
                == ["server.listen: '127.0.0.1:8600' is also in dns.listen: each needs a TCP port of its own"]
        )
        #expect(problems(in: "{server: {listen: 127.0.0.1:0}, dns: {listen: [127.0.0.1:0, 127.0.0.1:0]}}") == [])
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"), ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("0.0.0.0/0", "255.255.255.255", "::1"), ("fc00::/7", "fdff::1", "fe00::"), ("::/0", "ffff::", "0.0.0.0"),
        ("2001:db8::1/128", "2001:db8::1", "2001:db8::"),
        ("2001:db8:0:0:8000::/65", "2001:db8::8000:0:0:1", "2001:db8::1"),
    ])
    func `a network holds the addresses behind its prefix`(text: String, inside: String, outside: String) throws {
        let network = try ValueKind<IPNetwork>.network.parse(text)
        #expect(network.contains(try #require(IPAddress(inside))))
        #expect(!network.contains(try #require(IPAddress(outside))))
        #expect(try ValueKind<IPNetwork>.network.parse(network.description) == network)
    }

    @Test(arguments: ["10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10/8", "10.0.0.0/8/8", ""])
    func `what is not a network is refused`(text: String) {
        #expect(throws: InvalidValue.self) { try ValueKind<IPNetwork>.network.parse(text) }
    }

    @Test func `an upstream's port is 53 unless it is given`() throws {
        let kind = ValueKind<SocketAddress>.upstreamServer
        #expect(try kind.parse("1.1.1.1").description == "1.1.1.1:53")
        #expect(try kind.parse("9.9.9.9:5353").description == "9.9.9.9:5353")
        #expect(try kind.parse("2620:fe::fe").description == "[2620:fe::fe]:53")
        for text in ["0.0.0.0", "1.1.1.1:0", "dns.example", "224.0.0.251:5353"] {
            #expect(throws: InvalidValue.self) { try kind.parse(text) }
        }
    }

    @Test func `an etcd endpoint is a URL without user and path`() throws {
        let kind = ValueKind<String>.endpoint
        #expect(try kind.parse("https://etcd-1:2379") == "https://etcd-1:2379")
        for text in ["etcd:2379", "http://", "http://user:secret@etcd:2379", "http://etcd:2379/x", "http://a b"] {
            #expect(throws: InvalidValue.self) { try kind.parse(text) }
        }
    }
}
