import Engine
import Foundation
import Logging
import Testing

@testable import ControlPlane

/// The configuration in force: the origin of values, how it is shown, how it is read again.
@Suite struct LoadedConfigurationTests {
    @Test func `what check-config prints reads as the same configuration`() throws {
        let environment = Dictionary(
            // A secret is not printed.
            uniqueKeysWithValues: try ConfigurationSchema.keys.filter { !$0.isSecret }.map {
                ($0.environmentName, try #require(ConfigurationKeyTests.samples[$0.path]))
            }
        )
        let first = try LoadedConfiguration(file: nil, environment: environment)
        let second = try LoadedConfiguration(yaml: first.yaml, file: "printed.yaml")
        #expect(first.configuration != Configuration())
        #expect(second.configuration == first.configuration)
        #expect(second.origins.count == ConfigurationSchema.keys.count)
    }

    @Test(arguments: [
        "1.0", "true", "null", "~", "a: b", "a #b", "'\"\\", "-", "&x", "*x", "!x", "ü\u{202E}", " a ", "%",
    ])
    func `a text that looks like something else is printed so that it stays a text`(text: String) throws {
        let first = try LoadedConfiguration(file: nil, environment: ["KONG_DISCOVERY_DNS_VERSION": text])
        let second = try LoadedConfiguration(yaml: first.yaml, file: "printed.yaml")
        #expect(second.configuration.dns.version == text)
    }

    @Test(arguments: [
        ("10.0.0.0/25", "'10.0.0.0/25' is too small"), ("fd00::/125", "too small"),
        ("128.0.0.0/1, 0.0.0.0/1, 10.0.0.0/8", "makes 257 zones, of which there may be 256"),
    ]) func `networks whose addresses can't have names are refused`(networks: String, message: String) {
        #expect {
            try LoadedConfiguration(file: nil, environment: ["KONG_DISCOVERY_DNS_REVERSE": networks])
        } throws: { "\($0)".contains("dns.reverse") && "\($0)".contains(message) }
    }

    @Test func `each value that is no default tells where it comes from`() throws {
        let loaded = try LoadedConfiguration(
            yaml: "dns:\n  ttl: 7s\n  workers: 2\n",
            file: "a\nb.yaml",
            environment: ["KONG_DISCOVERY_DNS_WORKERS": "3"]
        )
        let lines = loaded.yaml.split(separator: "\n")
        #expect(lines.contains("  ttl: 7s  # a\\nb.yaml:2"))
        #expect(lines.contains("  workers: 3  # KONG_DISCOVERY_DNS_WORKERS"))
        #expect(lines.filter { $0.contains("#") }.count == 2)
        #expect(loaded.origins["dns.ttl"] == .file("a\nb.yaml", line: 2, column: 8))
    }

    @Test func `a secret is neither printed nor in a message`() throws {
        let environment = ["KONG_DISCOVERY_STORAGE_ETCD_PASSWORD": "swordfish\u{7}"]
        let error = #expect(throws: ConfigurationError.self) {
            try LoadedConfiguration(file: nil, environment: environment)
        }
        let message = try #require(error).description
        #expect(message.hasPrefix("KONG_DISCOVERY_STORAGE_ETCD_PASSWORD: storage.etcd.password: the value holds"))
        #expect(!message.contains("swordfish"))

        var configuration = Configuration()
        configuration.storage.etcd.password = "swordfish"
        let key = try #require(ConfigurationSchema.keysByPath["storage.etcd.password"])
        #expect(key.shownValue(in: configuration) == "\"********\"")
        #expect(key.shownValue(in: Configuration()) == "\"\"")
    }

    @Test func `an unknown variable is an error that names the nearest key`() {
        let found = problems(in: "", environment: ["KONG_DISCOVERY_DNS_TLL": "1s", "KONG_DISCOVERY_PORT": "8080"])
        #expect(
            found == [
                "KONG_DISCOVERY_DNS_TLL: sets no known key: did you mean KONG_DISCOVERY_DNS_TTL?",
                "KONG_DISCOVERY_PORT: sets no known key",
            ]
        )
    }

    @Test func `variables of Kubernetes, of the client and of others are passed over`() {
        let environment = [
            "KONG_DISCOVERY_SERVICE_HOST": "10.0.0.1",
            "KONG_DISCOVERY_SERVICE_PORT": "8080",
            "KONG_DISCOVERY_SERVICE_PORT_HTTP": "8080",
            "KONG_DISCOVERY_PORT": "tcp://10.0.0.1:8080",
            "KONG_DISCOVERY_PORT_8080_TCP": "tcp://10.0.0.1:8080",
            "KONG_DISCOVERY_PORT_8080_TCP_PROTO": "tcp",
            "KONG_DISCOVERY_PORT_8080_TCP_PORT": "8080",
            "KONG_DISCOVERY_PORT_8080_TCP_ADDR": "10.0.0.1",
            "KONG_DISCOVERY_DNS_SERVICE_HOST": "10.0.0.2",
            "KONG_DISCOVERY_DNS_PORT_53_UDP": "udp://10.0.0.2:53",
            "KONG_DISCOVERY_URL": "http://127.0.0.1:8080",
            "KONG_DISCOVERY_TOKEN": "secret",
            "KONG_DISCOVERYX": "1",
            "PATH": "/bin",
        ]
        #expect(problems(in: "", environment: environment) == [])
    }

    @Test func `an empty variable is an empty text or list, and no number`() throws {
        let loaded = try LoadedConfiguration(
            yaml: "dns: {version: x}",
            file: "test.yaml",
            environment: ["KONG_DISCOVERY_DNS_VERSION": "", "KONG_DISCOVERY_DNS_ALLOW": " "]
        )
        #expect(loaded.configuration == Configuration())
        #expect(problems(in: "", environment: ["KONG_DISCOVERY_DNS_WORKERS": ""]).count == 1)
        #expect(problems(in: "", environment: ["KONG_DISCOVERY_DNS_LISTEN": ""]).count == 1)
    }

    @Test func `a list in a variable has commas, and space around them does not count`() throws {
        let listen = "KONG_DISCOVERY_DNS_LISTEN"
        let loaded = try LoadedConfiguration(file: nil, environment: [listen: " 127.0.0.1:53 ,[::1]:53"])
        #expect(loaded.configuration.dns.listen.map(\.description) == ["127.0.0.1:53", "[::1]:53"])
        let found = problems(in: "", environment: [listen: "127.0.0.1:53,,x"])
        #expect(
            found.map { $0.prefix(while: { $0 != "'" }) } == [
                "\(listen): dns.listen[1]: ", "\(listen): dns.listen[2]: ",
            ]
        )
    }

    @Test func `a changed file takes effect when it is read again, and a broken one is reported`() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "configuration-\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        func write(_ text: String) throws { try Data(text.utf8).write(to: file) }

        try write("log: {level: info}")
        let first = try LoadedConfiguration(file: file.path(), environment: ["KONG_DISCOVERY_DNS_WORKERS": "2"])
        try write("log: {level: debug}\ndns: {workers: 9, ttl: 9s}")
        let second = try first.reloaded()
        #expect(second.configuration.log.level == .debug)
        #expect(second.configuration.dns.workers == 2)
        #expect(second.keysAwaitingRestart(since: first) == ["dns.ttl"])
        try write("log: {level: loud}")
        #expect(throws: ConfigurationError.self) { try second.reloaded() }
    }

    @Test(arguments: [
        ("127.0.0.1:8602", "127.0.0.1:8602", "127.0.0.1:8602"),
        ("127.0.0.1:8602", "[::ffff:127.0.0.1]:8602", "127.0.0.1:8602"),
        ("0.0.0.0:8602", "127.0.0.1:8602", "0.0.0.0:8602"), ("[::]:8602", "[::1]:8602", "[::]:8602"),
        ("0.0.0.0:53", "127.0.0.1", "0.0.0.0:53"), ("127.0.0.11:53", "127.0.0.11", "127.0.0.11:53"),
    ])
    func `an upstream that is this server itself is refused at its place`(
        listen: String, upstream: String, listener: String
    ) {
        let yaml = """
            dns:
              listen: ['\(listen)']
              upstream:
                servers: [192.0.2.1, '\(upstream)']
            """
        #expect(
            problems(in: yaml) == [
                "test.yaml:4:26: dns.upstream.servers[1]: '\(upstream)' is this server itself: it listens on \(listener)"
            ])
    }

    @Test func `who listens on all addresses has the machine's, and of the other family none`() {
        var configuration = Configuration()
        configuration.dns.listen = [SocketAddress(.v4(0), port: 53)]
        let addresses: [IPAddress] = [.v4(0x0A00_0001), .v4(0x0A00_0002), .v6(0xFD00 << 48, 1), .v6(0, 1)]
        configuration.dns.upstream.servers = addresses.map { SocketAddress($0, port: 53) }
        let own: [IPAddress] = [.v4(0x0A00_0002), .v6(0xFD00 << 48, 1)]
        #expect(configuration.ownUpstreams { own }.map(\.index) == [1])
        configuration.dns.listen = [SocketAddress(.v6(0, 0), port: 53)]
        #expect(configuration.ownUpstreams { own }.map(\.index) == [2, 3])
        // Docker's DNS server in a container.
        configuration.dns.listen = [SocketAddress(.v4(0), port: 53)]
        configuration.dns.upstream.servers = [SocketAddress(.v4(0x7F00_000B), port: 53)]
        #expect(configuration.ownUpstreams { [.v4(0x7F00_0001)] + own }.isEmpty)
        configuration.dns.upstream.servers = addresses.map { SocketAddress($0, port: 53) }
        configuration.dns.listen = [SocketAddress(.v6(0, 0), port: 54), SocketAddress(.v4(0), port: 0)]
        #expect(configuration.ownUpstreams { own }.isEmpty)
    }

    @Test func `an upstream from the environment is looked at too, and only where both keys are right`() {
        let itself = ["KONG_DISCOVERY_DNS_UPSTREAM_SERVERS": "127.0.0.1:8600"]
        #expect(
            problems(in: "", environment: itself) == [
                "KONG_DISCOVERY_DNS_UPSTREAM_SERVERS: dns.upstream.servers[0]: '127.0.0.1:8600' is this server itself: "
                    + "it listens on 127.0.0.1:8600"
            ])
        #expect(problems(in: "dns: {listen: [nonsense]}", environment: itself).count == 1)
        #expect(problems(in: "dns: {listen: ['127.0.0.1:8601']}", environment: itself).isEmpty)
    }
}
