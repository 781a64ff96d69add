import Testing

@testable import ControlPlane

/// Each key of the schema, from the file and from the environment.
@Suite struct ConfigurationKeyTests {
    /// For each key a value other than its default, as written in the environment.
    static let samples: [String: String] = [
        "server.listen": "[::1]:9090",
        "server.tls.certificate": "/etc/certificate.pem",
        "server.tls.key": "/etc/key.pem",
        "server.tls.client_ca": "/etc/ca.pem",
        "server.tokens_file": "/etc/tokens.yaml",
        "server.rate_limit.requests_per_second": "100",
        "server.max_connections": "100",
        "server.max_per_client": "10",
        "server.hosts": "registry.example,discovery_1",
        "dns.listen": "127.0.0.1:5300,[::1]:5300",
        "dns.workers": "4",
        "dns.domain": "services.example",
        "dns.ttl": "10s",
        "dns.addr_ttl": "2h",
        "dns.srv_targets": "literal",
        "dns.negative_ttl": "2s",
        "dns.strategy": "weighted",
        "dns.on_empty": "last_known",
        "dns.empty_grace": "1m",
        "dns.protect_threshold": "0.3",
        "dns.priorities": "all",
        "dns.udp_payload": "4096",
        "dns.large_udp.networks": "192.0.2.0/24,2001:db8::/32",
        "dns.large_udp.payload": "1400",
        "dns.allow": "192.0.2.0/24,2001:db8::/32",
        "dns.recursion_allow": "192.0.2.0/24",
        "dns.reverse": "172.16.0.0/12",
        "dns.rate_limit.responses_per_second": "20",
        "dns.rate_limit.slip": "1",
        "dns.cookies": "false",
        "dns.version": "kong-discovery: \"1\"",
        "dns.nsid": "ns1",
        "dns.tcp.max_connections": "10",
        "dns.tcp.max_per_client": "5",
        "dns.tcp.idle_timeout": "2500ms",
        "dns.tcp.max_queries": "1000",
        "dns.upstream.servers": "9.9.9.9:53,[2620:fe::fe]:53",
        "dns.upstream.policy": "sequential",
        "dns.upstream.timeout": "1s",
        "dns.upstream.max_inflight": "100",
        "dns.upstream.case_randomization": "off",
        "dns.cache.max_entries": "0",
        "dns.cache.min_ttl": "1s",
        "dns.cache.max_ttl": "2h",
        "dns.cache.negative_ttl": "1m",
        "dns.cache.serve_stale": "0s",
        "dns.cache.prefetch": "false",
        "storage.type": "etcd",
        "storage.sqlite.path": "/var/lib/kong-discovery.db",
        "storage.etcd.endpoints": "https://etcd-1:2379,https://etcd-2:2379",
        "storage.etcd.prefix": "/discovery",
        "storage.etcd.timeout": "1s",
        "storage.etcd.username": "kong",
        "storage.etcd.password": "secret",
        "storage.etcd.ca": "/etc/hosts",
        "storage.etcd.certificate": "/etc/hosts",
        "storage.etcd.key": "/etc/hosts",
        "storage.etcd.snapshot": "/var/lib/kong-discovery/snapshot",
        "registry.max_instances": "1000",
        "registry.max_names": "5000",
        "registry.max_per_name": "100",
        "registry.networks": "10.0.0.0/8,2001:db8::/32",
        "heartbeat.timeout": "1m",
        "heartbeat.cleanup_interval": "200ms",
        "heartbeat.mass_expiry_brake": "0.75",
        "checks.max_concurrent": "50",
        "checks.allow": "10.0.0.0/8,2001:db8::/32",
        "metrics.per_service": "true",
        "log.level": "debug",
        "log.format": "json",
        "query_log.sample": "0.01",
        "query_log.file": "/var/log/kong-discovery/queries.log",
        "user": "nobody:nogroup",
    ]

    /// Keys that require others.
    static let companions = [
        "server.tls.certificate": ["server.tls.key"], "server.tls.key": ["server.tls.certificate"],
        "server.tls.client_ca": ["server.tls.certificate", "server.tls.key"],
        "storage.etcd.password": ["storage.etcd.username"], "storage.etcd.certificate": ["storage.etcd.key"],
        "storage.etcd.key": ["storage.etcd.certificate"],
    ]

    /// Settings for the companions of a key.
    private static func companions(of path: String) throws -> (paths: [String], environment: [String: String]) {
        let others = companions[path] ?? []
        var environment: [String: String] = [:]
        for other in others {
            let key = try #require(ConfigurationSchema.keysByPath[other])
            let sample = try #require(samples[other])
            environment[key.environmentName] = sample
        }
        return (others, environment)
    }

    /// The sample as a YAML document.
    static func yaml(_ path: String, _ value: String) -> String {
        let parts = path.split(separator: ".")
        let lines = parts.enumerated().map { depth, part in
            String(repeating: "  ", count: depth) + "\(part):"
        }
        return lines.joined(separator: "\n") + " \(value)\n"
    }

    static func yamlValue(_ key: ConfigurationKey, _ sample: String) -> String {
        let texts = key.isList ? sample.split(separator: ",").map(String.init) : [sample]
        let values = texts.map { text in
            guard key.acceptsQuotes else { return text }
            return "'" + text.replacing("'", with: "''") + "'"
        }
        return key.isList ? "[" + values.joined(separator: ", ") + "]" : values.joined()
    }

    @Test func `every key has a sample, and every sample a key`() {
        #expect(Set(Self.samples.keys) == Set(ConfigurationSchema.keys.map(\.path)))
        #expect(Self.samples.count == ConfigurationSchema.keys.count)
    }

    @Test func `no two keys share an environment variable`() {
        let names = Set(ConfigurationSchema.keys.map(\.environmentName))
        #expect(names.count == ConfigurationSchema.keys.count)
        #expect(names.contains("KONG_DISCOVERY_DNS_CACHE_MAX_ENTRIES"))
    }

    @Test(arguments: ConfigurationSchema.keys.map(\.path))
    func `a key is read from the file`(path: String) throws {
        let key = try #require(ConfigurationSchema.keysByPath[path])
        let sample = try #require(Self.samples[path])
        let yaml = Self.yaml(path, Self.yamlValue(key, sample))
        let companions = try Self.companions(of: path)
        let loaded = try LoadedConfiguration(yaml: yaml, file: "test.yaml", environment: companions.environment)
        #expect(key.texts(loaded.configuration).joined(separator: ",") == sample)
        #expect(key.texts(Configuration()) != key.texts(loaded.configuration))
        let others = ConfigurationSchema.keys.filter { $0.path != path && !companions.paths.contains($0.path) }
        for other in others { #expect(other.texts(loaded.configuration) == other.texts(Configuration())) }
    }

    @Test(arguments: ConfigurationSchema.keys.map(\.path))
    func `a key is read from the environment, which beats the file`(path: String) throws {
        let key = try #require(ConfigurationSchema.keysByPath[path])
        let sample = try #require(Self.samples[path])
        let defaults = key.texts(Configuration()).joined(separator: ",")
        let yaml = Self.yaml(path, Self.yamlValue(key, defaults))
        let companions = try Self.companions(of: path)
        let loaded = try LoadedConfiguration(
            yaml: yaml,
            file: "test.yaml",
            environment: companions.environment.merging([key.environmentName: sample]) { $1 }
        )
        #expect(key.texts(loaded.configuration).joined(separator: ",") == sample)
        #expect(loaded.origins[path] == .environment(key.environmentName))
        #expect(loaded.origins.count == 1 + companions.environment.count)
    }

    @Test func `each answer of an empty service can be chosen, and is offered`() throws {
        for answer in Configuration.OnEmpty.allCases {
            let environment = ["KONG_DISCOVERY_DNS_ON_EMPTY": answer.rawValue]
            #expect(try LoadedConfiguration(file: nil, environment: environment).configuration.dns.onEmpty == answer)
        }
        let offered = "test.yaml:1:17: dns.on_empty: 'x' is unknown: nxdomain, nodata, servfail or last_known"
        #expect(problems(in: "dns: {on_empty: x}") == [offered])
    }

    @Test func `the documentation's table has a row for each key`() {
        let rows = ConfigurationSchema.markdownTable.split(separator: "\n").dropFirst(2)
        #expect(rows.count == ConfigurationSchema.keys.count)
        #expect(rows.contains { $0.hasPrefix("| `dns.ttl` | `5s` |") })
    }
}

/// The problems of a text, one line each; empty: none.
func problems(in yaml: String, environment: [String: String] = [:]) -> [String] {
    do throws(ConfigurationError) {
        _ = try LoadedConfiguration(yaml: yaml, file: "test.yaml", environment: environment)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}
