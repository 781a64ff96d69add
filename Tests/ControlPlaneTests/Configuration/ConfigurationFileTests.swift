import Engine
import Foundation
import Testing

@testable import ControlPlane

/// The form of the file: what is YAML, where errors are, which keys there are.
@Suite struct ConfigurationFileTests {
    @Test func `the documented configuration is the default one`() throws {
        // As documented.
        let yaml = """
            server:
              listen: 127.0.0.1:8080
              tls: {certificate: "", key: "", client_ca: ""}    # set: HTTPS (and mTLS)
              tokens_file: ""
              rate_limit: {requests_per_second: 0}
              max_connections: 4096
              max_per_client: 256
              hosts: []
            dns:
              listen: [127.0.0.1:8600]
              workers: 0
              domain: service.kong
              ttl: 5s
              addr_ttl: 24h
              srv_targets: addr
              negative_ttl: 1s
              strategy: round_robin
              on_empty: nxdomain
              empty_grace: 30s
              protect_threshold: 0
              priorities: lowest
              udp_payload: 1232
              large_udp: {networks: [], payload: 4096}
              allow: []
              recursion_allow: [127.0.0.0/8, ::1/128, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7]
              rate_limit: {responses_per_second: auto, slip: 2}
              cookies: true
              reverse: []
              version: ""
              nsid: ""
              tcp: {max_connections: 4096, max_per_client: 256, idle_timeout: 10s, max_queries: 0}
              upstream:
                servers: []
                policy: fastest
                timeout: 1500ms
                max_inflight: 4096
                case_randomization: auto
              cache:
                max_entries: 100000
                min_ttl: 0s
                max_ttl: 1h
                negative_ttl: 30s
                serve_stale: 1h
                prefetch: true
            storage:
              type: sqlite
              sqlite: {path: data/kong-discovery.db}
              etcd: {endpoints: [http://127.0.0.1:2379], prefix: /kong-discovery, timeout: 5s, username: "",
                password: "", ca: "", certificate: "", key: "", snapshot: ""}
            registry:
              max_instances: 2000000
              max_names: 8000000
              max_per_name: 100000
              networks: []
            heartbeat:
              timeout: 30s
              cleanup_interval: 1s
              mass_expiry_brake: 0.5
            checks: {max_concurrent: 1000, allow: []}
            metrics: {per_service: false}
            log: {level: info, format: text}
            query_log: {sample: 0, file: ""}
            user: ""
            """
        let loaded = try LoadedConfiguration(yaml: yaml, file: "test.yaml")
        #expect(loaded.configuration == Configuration())
        #expect(loaded.origins.count == ConfigurationSchema.keys.count)
    }

    @Test(arguments: ["", "# nothing\n", "---\n", "{}", "dns:\n", "dns: {tcp: ~}"])
    func `a file without values is the default configuration`(yaml: String) throws {
        #expect(try LoadedConfiguration(yaml: yaml, file: "test.yaml").configuration == Configuration())
    }

    @Test func `every error is reported at once, in order, with its place, key and what is allowed`() {
        let yaml = """
            server: {listen: "localhost:8080"}
            dns:
              listen: [127.0.0.1:8600, nonsense]
              workers: 300
              cookies: yes
              ttl: 0s
              strategy: robin
              tcp: 5
            storage:
              type: file
            log: [info]
            """
        let address = "is not an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080"
        #expect(
            problems(in: yaml, environment: ["KONG_DISCOVERY_DNS_UDP_PAYLOAD": "511"]) == [
                "test.yaml:1:18: server.listen: 'localhost:8080' \(address)",
                "test.yaml:3:28: dns.listen[1]: 'nonsense' \(address)",
                "test.yaml:4:12: dns.workers: '300' is too large: 256 or less",
                "test.yaml:5:12: dns.cookies: 'yes' is neither true nor false",
                "test.yaml:6:8: dns.ttl: '0s' is too small: 1s or more",
                "test.yaml:7:13: dns.strategy: 'robin' is unknown: round_robin, random or weighted",
                "test.yaml:8:8: dns.tcp: is a single value; expected: keys and their values",
                "test.yaml:10:9: storage.type: 'file' is unknown: sqlite, memory or etcd",
                "test.yaml:11:6: log: is a list; expected: keys and their values",
                "KONG_DISCOVERY_DNS_UDP_PAYLOAD: dns.udp_payload: '511' is too small: 512 or more",
            ]
        )
    }

    @Test(arguments: [
        ("dns.ttl: 7s", "1:1: dns.ttl: keys are nested: write dns: and below it ttl:"),
        (
            "dns: {ttl: 6s}\ndns.cache.max_ttl: 7s",
            "2:1: dns.cache.max_ttl: keys are nested: write dns: and below it cache: and below it max_ttl:"
        ),
        (
            "dns: {cache.max_ttl: 1h}",
            "1:7: dns.cache.max_ttl: keys are nested: write dns: and below it cache: and below it max_ttl:"
        ),
        ("dns.cache: {max_ttl: 1h}", "1:1: dns.cache: keys are nested: write dns: and below it cache:"),
        ("dns.tttl: 7s", "1:1: dns.tttl: is not a known key: did you mean dns.ttl?"),
    ])
    func `a key with a dot in it is not another section's key`(yaml: String, problem: String) {
        #expect(problems(in: yaml) == ["test.yaml:\(problem)"])
    }

    @Test func `a single value is a list of one`() throws {
        let yaml = "dns:\n  listen: 127.0.0.1:53\n  recursion_allow: '::1/128'\nserver: {hosts: a.example}\n"
        let loaded = try LoadedConfiguration(yaml: yaml, file: "test.yaml")
        #expect(loaded.configuration.dns.listen.map(\.description) == ["127.0.0.1:53"])
        #expect(loaded.configuration.dns.recursionAllow.map(\.description) == ["::1/128"])
        #expect(loaded.configuration.server.hosts == ["a.example"])
        #expect(loaded.origins["dns.listen"] == .file("test.yaml", line: 2, column: 11))
        // An empty value is no list, and neither is a text with commas.
        let address = "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080"
        #expect(
            problems(in: "dns:\n  listen:\n") == [
                "test.yaml:2:10: dns.listen: has no value; expected: \(address), or a list of such"
            ])
        let both = "127.0.0.1:53, [::1]:53"
        #expect(
            problems(in: "dns:\n  listen: '\(both)'\n") == ["test.yaml:2:11: dns.listen: '\(both)' is not \(address)"])
    }

    @Test func `an unknown key is an error that names the nearest key`() {
        let yaml = """
            dsn: {ttl: 5s}
            dns:
              tll: 5s
              max_entries: 5
              something_else: 1
            """
        #expect(
            problems(in: yaml) == [
                "test.yaml:1:1: dsn: is not a known key: did you mean dns?",
                "test.yaml:3:3: dns.tll: is not a known key: did you mean dns.ttl?",
                "test.yaml:4:3: dns.max_entries: is not a known key: did you mean dns.cache.max_entries?",
                "test.yaml:5:3: dns.something_else: is not a known key",
            ]
        )
    }

    @Test(arguments: [
        ("[dns]", "test.yaml:1:1: the file is a list; expected: keys and their values"),
        ("dns", "test.yaml:1:1: the file is a single value; expected: keys and their values"),
        (
            "dns: {workers: \"2\"}",
            "test.yaml:1:16: dns.workers: is quoted; write it without quotes: a whole number, 0–256"
        ),
        ("dns: {cookies: 'no'}", "test.yaml:1:16: dns.cookies: is quoted; write it without quotes: true or false"),
        (
            "dns: {listen: {a: b}}",
            "test.yaml:1:15: dns.listen: is a mapping; expected: an IP address and a port, such as 127.0.0.1:8080 or "
                + "[::1]:8080, or a list of such"
        ),
        (
            "dns:\n\tttl: 5s",
            "test.yaml:2:1: is not YAML: while scanning for the next token, "
                + "found character that cannot start any token (a tab? YAML indents with spaces)"
        ),
        ("dns: {workers: 010}", "test.yaml:1:16: dns.workers: '010' is not a whole number, 0–256"),
        ("dns: {workers: 1_0}", "test.yaml:1:16: dns.workers: '1_0' is not a whole number, 0–256"),
        ("dns: {workers: [1]}", "test.yaml:1:16: dns.workers: is a list; expected: a whole number, 0–256"),
        (
            "dns: {workers: 99999999999999999999}",
            "test.yaml:1:16: dns.workers: '99999999999999999999' is too large: 256 or less"
        ),
        ("dns: {workers: -1}", "test.yaml:1:16: dns.workers: '-1' is too small: 0 or more"),
        ("dns: {version: }", "test.yaml:1:16: dns.version: has no value; expected: text, at most 255 octets"),
        ("dns: {listen: []}", "test.yaml:1:15: dns.listen: [] is an empty list: at least one is needed"),
        ("dns: {ttl: 5s, ttl: 6s}", "test.yaml:1:7: ttl: is given more than once in the same mapping"),
        ("log: {level: !secret info}", "test.yaml:1:14: log.level: has the tag '!secret', which means nothing here"),
        ("{[a]: 1}", "test.yaml:1:2: a key is a list; expected: a name"),
        (
            "a: {}\n---\nb: {}",
            "test.yaml:2:1: is not YAML: expected a single document in the stream, but found another document"
        ),
        ("a: [", "test.yaml:2:1: is not YAML: while parsing a flow node, did not find expected node content"),
    ])
    func `what has the wrong form is refused at its place`(yaml: String, problem: String) {
        #expect(problems(in: yaml) == [problem])
    }

    @Test func `a message stays one short line whatever the value holds`() {
        let long = String(repeating: "x", count: 5000)
        for yaml in ["dns: {strategy: \"a\\nb\\e[2J\"}", "dns: {strategy: \(long)}", "\(long): 1", "\"a\\nb\": 1"] {
            let found = problems(in: yaml)
            #expect(found.count == 1)
            for problem in found {
                #expect(problem.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
                #expect(problem.count < 250)
            }
        }
    }

    @Test func `anchors are refused before aliases are expanded`() {
        // Ten lines that would expand to ten billion values, used as keys, which a parser compares.
        var yaml = "a0: &a0 [x]\n"
        for level in 1...10 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            yaml += "a\(level): &a\(level) [\(aliases)]\n"
        }
        yaml += "? *a10\n: 1\n"
        #expect(problems(in: yaml) == ["test.yaml:1:5: anchors and aliases (& and *) can't be used here"])
    }

    @Test(arguments: [
        ("a: &x 1", 4), ("- &x 1", 3), ("? &x 1", 3), ("[&x 1]", 2), ("{a: b,&x c: d}", 7), ("a: !!str &x 1", 10),
        ("&x a: 1", 1), ("a: \"'\"\nb: '\"&'' #'\nc: &x", 4),
    ])
    func `an anchor is found where a value begins`(yaml: String, column: Int) {
        #expect(YAMLSource(yaml).firstAnchor?.column == column)
    }

    @Test(arguments: ["a: b&c", "a: \"&c, &d\"", "a: '&c '' &d'", "# a: &c", "a: 1 # &c", "a: x &c", "a: \"\\\"&c\""])
    func `an ampersand elsewhere is no anchor`(yaml: String) {
        #expect(YAMLSource(yaml).firstAnchor == nil)
    }

    @Test(arguments: ["[::1/128]", "[ ::1/128 ]", "[10.0.0.0/8, ::1/128]", "[::/0]", "[\n::1/128,\n::]", "[\"::\"]"])
    func `an address in a list may begin with colons`(list: String) {
        #expect(problems(in: "dns: {allow: \(list)}") == [])
    }

    @Test func `deep nesting and many keys are errors, not the end`() {
        #expect(problems(in: String(repeating: "[", count: 200_000)).count == 1)
        #expect(problems(in: String(repeating: "- ", count: 200_000)).count == 1)
        #expect(problems(in: (0..<2000).map { "key\($0): 1\n" }.joined()).count == 2000)
    }

    @Test func `a file that can't be read is one line with its name and the reason`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "configuration-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func problem(in name: String, _ contents: Data?) throws -> String? {
            let path = folder.appending(path: name).path()
            try contents?.write(to: URL(filePath: path))
            let error = #expect(throws: ConfigurationError.self) {
                try LoadedConfiguration(file: path, environment: [:])
            }
            #expect(error?.problems.count == 1)
            return error?.description.replacing(path, with: name)
        }
        #expect(try problem(in: "missing", nil) == "missing: can't be read: no such file")
        #expect(try problem(in: "", nil) == ": can't be read: it is a directory")
        #expect(try problem(in: "binary", Data([0xFF, 0xFE])) == "binary: is not UTF-8 text")
        let large = Data(repeating: UInt8(ascii: "#"), count: ConfigurationFile.maximumOctets + 1)
        #expect(try problem(in: "large", large) == "large: is too large: at most 1048576 octets")
    }
}
