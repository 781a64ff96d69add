/// The table of all keys: YAML, environment, defaults, checks and documentation come from it.
public enum ConfigurationSchema {
    /// The start of every environment variable that sets a key.
    public static let environmentPrefix = "KONG_DISCOVERY_"

    /// Every key, in the order of the documentation; keys of one section stand together.
    public static let keys: [ConfigurationKey] = server + dns + dnsForwarding + storage + registry + operation

    /// Every key by its path.
    static let keysByPath = Dictionary(uniqueKeysWithValues: keys.map { ($0.path, $0) })

    /// The paths of all sections: `dns`, `dns.tcp`, ….
    static let sections: Set<String> = keys.reduce(into: []) { sections, key in
        var path = key.path[...]
        while let dot = path.lastIndex(of: ".") {
            path = path[..<dot]
            sections.insert(String(path))
        }
    }

    private static let server = [
        ConfigurationKey("server.listen", \.server.listen, .listenAddress, "address of the REST API"),
        ConfigurationKey(
            "server.tls.certificate",
            \.server.tls.certificate,
            .path(),
            "certificate with its chain (PEM); set: HTTPS",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "server.tls.key",
            \.server.tls.key,
            .path(),
            "private key of the certificate (PEM)",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "server.tls.client_ca",
            \.server.tls.clientCA,
            .path(),
            "authorities (PEM) of client certificates; set: each client needs one",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "server.tokens_file",
            \.server.tokensFile,
            .path(),
            "file of bearer tokens; set: tokens are required",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "server.rate_limit.requests_per_second",
            \.server.rateLimit.requestsPerSecond,
            .integer(0...1_000_000),
            "requests a second for each client address, and as many heartbeats; 0: no limit",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "server.max_connections",
            \.server.maximumConnections,
            .integer(1...1_000_000),
            "open connections; at the limit the one idle longest gives way"
        ),
        ConfigurationKey(
            "server.max_per_client",
            \.server.maximumPerClient,
            .integer(1...1_000_000),
            "open connections of one client address"
        ),
        ConfigurationKey(
            "server.hosts",
            list: \.server.hosts,
            .hostName,
            "names accepted in Host besides IP addresses, localhost and the machine's name; *: all"
        ),
    ]

    private static let storage = [
        ConfigurationKey(
            "storage.type",
            \.storage.type,
            .choice,
            "where instances are kept"
        ),
        ConfigurationKey(
            "storage.sqlite.path",
            \.storage.sqlite.path,
            .path(1...4096),
            "the database"
        ),
        ConfigurationKey(
            "storage.etcd.endpoints",
            list: \.storage.etcd.endpoints,
            .endpoint,
            "members of the cluster",
            mayBeEmpty: false
        ),
        ConfigurationKey(
            "storage.etcd.prefix",
            \.storage.etcd.prefix,
            .text(1...1024),
            "start of every key"
        ),
        ConfigurationKey(
            "storage.etcd.timeout",
            \.storage.etcd.timeout,
            .duration(.milliseconds(10)...(.seconds(60))),
            "how long a request may take"
        ),
        ConfigurationKey(
            "storage.etcd.username",
            \.storage.etcd.username,
            .text(),
            "user; empty: no authentication"
        ),
        ConfigurationKey(
            "storage.etcd.password",
            \.storage.etcd.password,
            .text(),
            "password of the user",
            isSecret: true
        ),
        ConfigurationKey(
            "storage.etcd.ca",
            \.storage.etcd.ca,
            .path(),
            "authorities (PEM) of the members; empty: the system's"
        ),
        ConfigurationKey(
            "storage.etcd.certificate",
            \.storage.etcd.certificate,
            .path(),
            "client certificate (PEM)"
        ),
        ConfigurationKey(
            "storage.etcd.key",
            \.storage.etcd.key,
            .path(),
            "private key of the client certificate (PEM)"
        ),
        ConfigurationKey(
            "storage.etcd.snapshot",
            \.storage.etcd.snapshot,
            .path(),
            "file with the last known state, for a start while etcd is away; empty: none"
        ),
    ]

    private static let registry = [
        ConfigurationKey(
            "registry.max_instances",
            \.registry.maximumInstances,
            .integer(1...100_000_000),
            "instances; more are refused"
        ),
        ConfigurationKey(
            "registry.max_names",
            \.registry.maximumNames,
            .integer(1...400_000_000),
            "names in DNS, including those of tags and protocols"
        ),
        ConfigurationKey(
            "registry.max_per_name",
            \.registry.maximumPerName,
            .integer(1...10_000_000),
            "instances of one service"
        ),
        ConfigurationKey(
            "registry.networks",
            list: \.registry.networks,
            .network,
            "networks whose addresses may be registered; empty: all but those that nobody may register"
        ),
    ]

    private static let operation = [
        ConfigurationKey(
            "heartbeat.timeout",
            \.heartbeat.timeout,
            .duration(.seconds(1)...(.seconds(Int64(Int32.max))), wholeSeconds: true),
            "ttl of an instance that has none of its own"
        ),
        ConfigurationKey(
            "heartbeat.cleanup_interval",
            \.heartbeat.cleanupInterval,
            .duration(.milliseconds(10)...(.seconds(3600))),
            "how often expired instances are removed"
        ),
        ConfigurationKey(
            "heartbeat.mass_expiry_brake",
            \.heartbeat.massExpiryBrake,
            .number(0...1),
            "share of a service's instances above which they don't expire together, and of all targets above which "
                + "failing checks change nothing for a while; 1: none"
        ),
        ConfigurationKey(
            "checks.max_concurrent",
            \.checks.maximumConcurrent,
            .integer(1...100_000),
            "health checks under way at once"
        ),
        ConfigurationKey(
            "checks.allow",
            list: \.checks.allow,
            .network,
            "networks that health checks may connect to; empty: all but those that nobody may register"
        ),
        ConfigurationKey(
            "metrics.per_service",
            \.metrics.perService,
            .boolean,
            "whether /metrics has the instances of each service by status, of 10,000 services at most"
        ),
        ConfigurationKey("log.level", \.log.level, .choice, "lowest level that is logged", appliesOnReload: true),
        ConfigurationKey("log.format", \.log.format, .choice, "form of a log line", appliesOnReload: true),
        ConfigurationKey(
            "query_log.sample",
            \.queryLog.sample,
            .number(0...1),
            "share of queries that are logged; 1: all, 0: none",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "query_log.file",
            \.queryLog.file,
            .path(),
            "file of the query log, JSON lines; empty: the log, at level info",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "user",
            \.user,
            .text(0...256, what: "USER or USER:GROUP, by name or number"),
            "whom the server becomes once its sockets are open, if root has started it"
        ),
    ]

    /// The keys as a table in Markdown, for docs/configuration.md.
    public static var markdownTable: String {
        let defaults = Configuration()
        func text(_ values: [String], of key: ConfigurationKey) -> String {
            let texts = values.map { $0.isEmpty ? "\"\"" : $0 }
            return key.isList ? "[" + texts.joined(separator: ", ") + "]" : texts.joined()
        }
        let rows = keys.map { key in
            let value = text(key.texts(defaults), of: key)
            return "| `\(key.path)` | `\(value)` | \(key.summary) | \(key.allowed) |"
        }
        return (["| key | default | meaning | allowed |", "| --- | --- | --- | --- |"] + rows)
            .joined(separator: "\n")
    }
}
