import Engine

extension ConfigurationSchema {
    /// `dns`: the zone and how it is answered.
    static let dns = [
        ConfigurationKey(
            "dns.listen",
            list: \.dns.listen,
            .listenAddress,
            "addresses to answer on, each over UDP and TCP",
            mayBeEmpty: false
        ),
        ConfigurationKey(
            "dns.workers",
            \.dns.workers,
            .integer(0...256),
            "worker threads; 0: one for each core that the process may use (CPU affinity, quota of its cgroup)"
        ),
        ConfigurationKey("dns.domain", \.dns.domain, .domain, "the domain of all services"),
        ConfigurationKey("dns.ttl", \.dns.ttl, .duration(second...day, wholeSeconds: true), "TTL of records"),
        ConfigurationKey(
            "dns.addr_ttl",
            \.dns.addressTTL,
            .duration(second...week, wholeSeconds: true),
            "TTL of addr names, in ADDITIONAL too: their addresses never change"
        ),
        ConfigurationKey(
            "dns.srv_targets",
            \.dns.serviceTargets,
            .choice,
            "how SRV records name their targets: by addr names, or by the addresses themselves"
        ),
        ConfigurationKey(
            "dns.negative_ttl",
            \.dns.negativeTTL,
            .duration(second...day, wholeSeconds: true),
            "TTL of negative answers (SOA MINIMUM)"
        ),
        ConfigurationKey("dns.strategy", \.dns.strategy, .choice, "which record of an answer comes first"),
        ConfigurationKey(
            "dns.on_empty",
            \.dns.onEmpty,
            .choice,
            "what a service without a healthy instance answers"
        ),
        ConfigurationKey(
            "dns.empty_grace",
            \.dns.emptyGrace,
            .duration(.zero...hour),
            "how long SERVFAIL comes first after the last healthy instance has gone; 0s: not at all"
        ),
        ConfigurationKey(
            "dns.protect_threshold",
            \.dns.protectThreshold,
            .number(0...1),
            "share of a service's healthy instances below which critical ones are answered too; 0: never"
        ),
        ConfigurationKey(
            "dns.priorities",
            \.dns.priorities,
            .choice,
            "answer the best available priority group, or every group"
        ),
        ConfigurationKey(
            "dns.udp_payload",
            \.dns.udpPayload,
            .integer(512...4096),
            "largest UDP answer in octets for a client with EDNS"
        ),
        ConfigurationKey(
            "dns.large_udp.networks",
            list: \.dns.largeUDP.networks,
            .network,
            "networks whose clients get large UDP answers without EDNS",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.large_udp.payload",
            \.dns.largeUDP.payload,
            .integer(512...4096),
            "largest UDP answer in octets for these clients"
        ),
        ConfigurationKey(
            "dns.allow",
            list: \.dns.allow,
            .network,
            "networks whose queries are answered, others are REFUSED; empty: everyone",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.recursion_allow",
            list: \.dns.recursionAllow,
            .network,
            "networks whose queries for other names are forwarded",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.rate_limit.responses_per_second",
            \.dns.rateLimit.responsesPerSecond,
            .responsesPerSecond,
            "equal responses a second over UDP to one client network; auto: 200 beyond loopback, no limit on it; "
                + "0: no limit",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.rate_limit.slip",
            \.dns.rateLimit.slip,
            .integer(0...10),
            "above the limit, every n-th response is truncated instead of dropped; 0: none",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.cookies",
            \.dns.cookies,
            .boolean,
            "DNS cookies for clients that send theirs (RFC 7873); who has one is not limited by rate_limit",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.reverse",
            list: \.dns.reverse,
            .network,
            "networks with reverse names: PTR records for registered addresses"
        ),
        ConfigurationKey(
            "dns.version",
            \.dns.version,
            .text(0...255),
            "answer to version.bind; empty: REFUSED"
        ),
        ConfigurationKey(
            "dns.nsid",
            \.dns.nsid,
            .text(0...255),
            "name server identifier (RFC 5001), and answer to id.server; empty: none"
        ),
        ConfigurationKey(
            "dns.tcp.max_connections",
            \.dns.tcp.maximumConnections,
            .integer(1...1_000_000),
            "open TCP connections"
        ),
        ConfigurationKey(
            "dns.tcp.max_per_client",
            \.dns.tcp.maximumPerClient,
            .integer(1...1_000_000),
            "open TCP connections of one client address"
        ),
        ConfigurationKey(
            "dns.tcp.idle_timeout",
            \.dns.tcp.idleTimeout,
            .duration(.milliseconds(100)...(.seconds(3600))),
            "how long a TCP connection may stay open without a complete query"
        ),
        ConfigurationKey(
            "dns.tcp.max_queries",
            \.dns.tcp.maximumQueries,
            .integer(0...1_000_000_000),
            "queries on one TCP connection; 0: no limit"
        ),
    ]

    /// `dns.upstream` and `dns.cache`: names outside the zone.
    static let dnsForwarding = [
        ConfigurationKey(
            "dns.upstream.servers",
            list: \.dns.upstream.servers,
            .upstreamServer,
            "servers for other names; empty: REFUSED",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.upstream.policy",
            \.dns.upstream.policy,
            .choice,
            "which server is asked first",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.upstream.timeout",
            \.dns.upstream.timeout,
            .duration(.milliseconds(10)...(.seconds(60))),
            "how long a client waits at most, over all attempts",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.upstream.max_inflight",
            \.dns.upstream.maximumInFlight,
            .integer(1...1_000_000),
            "forwarded queries under way at once, a quarter of them for one client network (/24, /56)"
        ),
        ConfigurationKey(
            "dns.upstream.case_randomization",
            \.dns.upstream.caseRandomization,
            .choice,
            "names are sent in random case, which a forger has to guess; auto: to public addresses",
            appliesOnReload: true
        ),
        ConfigurationKey(
            "dns.cache.max_entries",
            \.dns.cache.maximumEntries,
            .integer(0...100_000_000),
            "forwarded answers kept; 0: none"
        ),
        ConfigurationKey(
            "dns.cache.min_ttl",
            \.dns.cache.minimumTTL,
            .duration(.zero...day, wholeSeconds: true),
            "lower TTLs are raised to this"
        ),
        ConfigurationKey(
            "dns.cache.max_ttl",
            \.dns.cache.maximumTTL,
            .duration(second...week, wholeSeconds: true),
            "higher TTLs are lowered to this"
        ),
        ConfigurationKey(
            "dns.cache.negative_ttl",
            \.dns.cache.negativeTTL,
            .duration(second...day, wholeSeconds: true),
            "higher TTLs of negative answers are lowered to this (RFC 2308)"
        ),
        ConfigurationKey(
            "dns.cache.serve_stale",
            \.dns.cache.serveStale,
            .duration(.zero...week, wholeSeconds: true),
            "how long an expired answer may be used (RFC 8767); 0s: never"
        ),
        ConfigurationKey(
            "dns.cache.prefetch",
            \.dns.cache.prefetch,
            .boolean,
            "fetch popular answers again before they expire"
        ),
    ]

    private static let second = Duration.seconds(1)
    private static let hour = Duration.seconds(3600)
    private static let day = Duration.seconds(86_400)
    private static let week = Duration.seconds(7 * 86_400)
}
