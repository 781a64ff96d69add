import Engine

extension MetricsWriter {
    /// The figures of DNS: queries, answers, cache, forwarding and upstreams.
    mutating func engine(_ statistics: EngineStatistics) {
        queries(statistics)
        for counter in Counter.allCases where !counter.isPartOfOthers { self.counter(counter, statistics) }
        upstreams(statistics.upstreams)
        samples(statistics.samples)
    }

    /// What became of the queries for the query log.
    mutating func queryLog(_ figures: QueryLogFigures) {
        metric(
            "\(Self.prefix)query_log_written_total", .counter, "Queries written to the query log.", figures.written)
        metric(
            "\(Self.prefix)query_log_dropped_total", .counter,
            "Queries that were to be logged, and came faster than they were written or could not be written.",
            figures.dropped)
    }

    /// Queries and responses, each as one metric with labels.
    private mutating func queries(_ statistics: EngineStatistics) {
        let queries = "\(Self.prefix)dns_queries_total"
        begin(queries, .counter, "Queries that arrived.")
        for (transport, counter) in [("udp", Counter.udpQueries), ("tcp", .tcpQueries)] {
            sample(queries, [Label("transport", transport)], statistics[counter])
        }
        let types = "\(Self.prefix)dns_query_types_total"
        begin(types, .counter, "Queries by type; other: all other types, and queries without a readable question.")
        for (type, count) in statistics.queriesByType {
            sample(types, [Label("type", type.map { PresentationForm.type($0) } ?? "other")], count)
        }
        let responses = "\(Self.prefix)dns_responses_total"
        begin(responses, .counter, "Answers by their response code.")
        for (code, counters) in [
            ("NOERROR", [Counter.answered, .noData]), ("NXDOMAIN", [.nameErrors]), ("SERVFAIL", [.serverFailures]),
            ("REFUSED", [.refused]), ("FORMERR", [.formatErrors]), ("NOTIMP", [.notImplemented]),
            ("BADVERS", [.badVersions]),
        ] {
            sample(responses, [Label("rcode", code)], counters.reduce(UInt64(0)) { $0 &+ statistics[$1] })
        }
        metric(
            "\(Self.prefix)dns_nodata_responses_total", .counter, Counter.noData.description.help,
            statistics[.noData])
        let upstream = "\(Self.prefix)forwarding_queries_total"
        begin(upstream, .counter, "Queries sent to upstreams.")
        for (transport, counter) in [("udp", Counter.upstreamUDPQueries), ("tcp", .upstreamTCPQueries)] {
            sample(upstream, [Label("transport", transport)], statistics[counter])
        }
    }

    /// Durations and sizes of those queries that were looked at.
    private mutating func samples(_ samples: QuerySamples) {
        let which = "of a sample: for each worker the first 256 queries of a second, and then one of about 64."
        let durations = "\(Self.prefix)dns_request_duration_seconds"
        begin(
            durations, .histogram,
            "From the arrival of a query until its reply was sent, by where the answer came from; \(which)")
        for source in QuerySource.allCases {
            distribution(
                durations, [Label("source", source.rawValue)], of: samples.durations(source), unit: 1_000_000_000)
        }
        for (name, help, sizes) in [
            ("request", "The octets of queries", samples.requestSizes),
            ("response", "The octets of answers", samples.replySizes),
        ] {
            let name = "\(Self.prefix)dns_\(name)_size_bytes"
            begin(name, .histogram, "\(help), \(which)")
            distribution(name, [], of: sizes, unit: 1)
        }
    }

    /// Writes a histogram's samples.
    ///
    /// - Parameter unit: how many of its units are one of the metric's.
    private mutating func distribution(
        _ name: String, _ labels: [Label], of distribution: QuerySamples.Distribution, unit: Double
    ) {
        samples(
            name, labels,
            of: Histogram(
                bounds: distribution.bounds.map { Double($0) / unit }, counts: distribution.counts,
                sum: Double(distribution.sum) / unit))
    }

    private mutating func counter(_ counter: Counter, _ statistics: EngineStatistics) {
        let description = counter.description
        metric(counter.metricName, description.isGauge ? .gauge : .counter, description.help, statistics[counter])
    }

    private mutating func upstreams(_ upstreams: [UpstreamStatistics]) {
        if upstreams.isEmpty { return }
        func labels(_ upstream: UpstreamStatistics) -> [Label] { [Label("upstream", "\(upstream.address)")] }
        let healthy = "\(Self.prefix)upstream_healthy"
        begin(healthy, .gauge, "Whether an upstream answers as usual: 1 or 0.")
        for upstream in upstreams { sample(healthy, labels(upstream), upstream.isHealthy ? 1 : 0) }
        let loop = "\(Self.prefix)upstream_leads_back"
        begin(loop, .gauge, "Whether an upstream leads back to this server, and is not asked for that reason: 1 or 0.")
        for upstream in upstreams { sample(loop, labels(upstream), upstream.leadsBack ? 1 : 0) }
        let roundTrip = "\(Self.prefix)upstream_round_trip_seconds"
        if upstreams.contains(where: { $0.roundTripTime != nil }) {
            begin(roundTrip, .gauge, "The smoothed round-trip time.")
            for upstream in upstreams {
                if let time = upstream.roundTripTime { sample(roundTrip, labels(upstream), time / .seconds(1)) }
            }
        }
        for counter in UpstreamCounter.allCases {
            let name = "\(Self.prefix)upstream_\(counter.rawValue)_total"
            begin(name, .counter, counter.help)
            for upstream in upstreams { sample(name, labels(upstream), upstream[counter]) }
        }
    }
}

extension Counter {
    /// Whether metrics with labels stand for it: see ``MetricsWriter/queries(_:)``.
    fileprivate var isPartOfOthers: Bool {
        switch self {
        case .udpQueries, .tcpQueries, .answered, .noData, .nameErrors, .serverFailures, .refused, .formatErrors,
            .notImplemented, .badVersions, .upstreamUDPQueries, .upstreamTCPQueries:
            true
        default: false
        }
    }

    /// Its name as a metric.
    fileprivate var metricName: String {
        "\(MetricsWriter.prefix)\(description.group.rawValue)_\(description.name)\(description.isGauge ? "" : "_total")"
    }
}
