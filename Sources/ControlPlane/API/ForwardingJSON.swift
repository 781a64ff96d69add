import Engine

extension JSONWriter {
    /// The counters of names outside the zone.
    mutating func forwardingStatistics(_ statistics: ForwardingStatistics) {
        let counters: [(String, UInt64)] = [
            ("coalesced", statistics.coalesced),
            ("stale_answers", statistics.staleAnswers),
            ("cached_failures", statistics.cachedFailures),
            ("over_limit", statistics.overLimit),
            ("udp_queries", statistics.udpQueries),
            ("tcp_queries", statistics.tcpQueries),
            ("hedges", statistics.hedges),
            ("retries", statistics.retries),
            ("wrong_answers", statistics.wrongAnswers),
            ("timeouts", statistics.timeouts),
            ("failures", statistics.failures),
            ("in_flight", statistics.inFlight),
        ]
        object(counters)
    }

    /// The cache of upstreams' answers.
    mutating func cacheStatistics(_ statistics: EngineStatistics) {
        object([
            ("entries", statistics.cache.entries),
            ("bytes", statistics.cache.bytes),
            ("hits", statistics.forwarding.cacheHits),
            ("misses", statistics.forwarding.cacheMisses),
            ("prefetches", statistics.forwarding.prefetches),
            ("evictions", statistics.cache.evictions),
        ])
    }

    /// How each upstream does.
    mutating func upstreamStatistics(_ upstreams: [UpstreamStatistics]) {
        beginArray()
        for upstream in upstreams {
            beginObject()
            member("address")
            string("\(upstream.address)")
            member("health")
            string(upstream.isHealthy ? "pass" : "fail")
            member("round_trip_seconds")
            if let time = upstream.roundTripTime { decimal(time / .seconds(1), places: 6) } else { null() }
            for (name, value) in [
                ("queries", upstream.queries), ("answers", upstream.answers), ("timeouts", upstream.timeouts),
                ("errors", upstream.errors),
            ] {
                member(name)
                integer(value)
            }
            endObject()
        }
        endArray()
    }

    private mutating func object(_ counters: [(String, UInt64)]) {
        beginObject()
        for (name, value) in counters {
            member(name)
            integer(value)
        }
        endObject()
    }
}
