/// The figures of the REST API and of the control plane's parts.
extension MetricsWriter {
    /// How many services have figures of their own.
    private static let maximumServices = 10_000

    /// What was answered, and the connections.
    ///
    /// - Parameter titles: those of all endpoints.
    mutating func http(_ counters: HTTPCounters, titles: [String]) {
        let places: [(title: String, answers: HTTPCounters.Answers)] =
            titles.enumerated().map { ($0.element, counters.answers(endpoint: $0.offset)) }
            + [("other", counters.answers(endpoint: nil))]
        let requests = "\(Self.prefix)http_requests_total"
        begin(requests, .counter, "Answers of the REST API, by endpoint and status code.")
        for place in places {
            for (code, count) in place.answers.byCode {
                sample(requests, [Label("endpoint", place.title), Label("code", "\(code)")], count)
            }
        }
        let durations = "\(Self.prefix)http_request_duration_seconds"
        begin(
            durations, .histogram,
            "Seconds from a complete request to its answer, without those that wait for changes or have no end.")
        for place in places where place.answers.durations.count > 0 {
            samples(durations, [Label("endpoint", place.title)], of: place.answers.durations)
        }
        let connections = counters.connections
        metric("\(Self.prefix)http_connections", .gauge, "Connections of the REST API now.", connections.open)
        metric(
            "\(Self.prefix)http_connections_accepted_total", .counter, "Connections that were accepted.",
            connections.accepted)
        let limited = "\(Self.prefix)http_connections_limited_total"
        begin(
            limited, .counter,
            "Connections that gave way to new ones at a limit (evicted), and new ones that were closed (refused).")
        sample(limited, [Label("action", "evicted")], connections.evicted)
        sample(limited, [Label("action", "refused")], connections.refused)
    }

    /// What was refused for want of a token or a right.
    mutating func refusals(_ counts: AccessRefusal.Counts) {
        let unauthorized = "\(Self.prefix)http_unauthorized_total"
        begin(unauthorized, .counter, "Requests without a valid token.")
        for (reason, count) in [
            ("missing", counts.withoutToken), ("unknown", counts.unknownToken), ("malformed", counts.malformed),
        ] {
            sample(unauthorized, [Label("reason", reason)], count)
        }
        let forbidden = "\(Self.prefix)http_forbidden_total"
        begin(forbidden, .counter, "Requests, and items of batches, that their token does not allow.")
        for (reason, count) in [("role", counts.role), ("service", counts.service), ("bounds", counts.bounds)] {
            sample(forbidden, [Label("reason", reason)], count)
        }
    }

    /// What was refused because a client asked too often.
    mutating func limits(_ limiter: RequestLimiter) {
        let limited = "\(Self.prefix)http_rate_limited_total"
        begin(
            limited, .counter, "Requests that were refused since their client makes more than server.rate_limit allows."
        )
        for kind in RequestLimiter.Kind.allCases {
            sample(limited, [Label("kind", kind.rawValue)], limiter.refusedCount(kind))
        }
    }

    /// TLS of the REST API.
    mutating func security(_ state: ServerState) {
        let failures = "\(Self.prefix)tls_handshake_failures_total"
        begin(failures, .counter, "Connections of the REST API that had no TLS session, by why.")
        let counts = state.handshakeFailures
        for kind in HandshakeFailure.Kind.allCases {
            sample(failures, [Label("reason", kind.rawValue)], counts[kind] ?? 0)
        }
        let end = "\(Self.prefix)tls_certificate_not_after_timestamp_seconds"
        begin(
            end, .gauge,
            "The last second in which a certificate is valid; of those in server.tls.client_ca the first to end.")
        if let certificate = state.certificate {
            sample(end, [Label("certificate", "server")], certificate.notAfter.secondsSince1970)
        }
        if let authorities = state.authoritiesNotAfter {
            sample(end, [Label("certificate", "client_ca")], authorities.secondsSince1970)
        }
    }

    /// The instances of each service, of the first ones in the order of their names.
    mutating func services(_ registry: Registry) {
        let name = "\(Self.prefix)service_instances"
        begin(name, .gauge, "Registered instances of a service by status.")
        // There are many of these, so what is the same in each is made once.
        let ends = InstanceStatus.allCases.map { ($0, Array("\",status=\"\($0.rawValue)\"} ".utf8)) }
        let start = Array("\(name){service=\"".utf8)
        var shown = 0
        var last: String?
        repeat {
            // In pages: a change waits no longer than a small part of one takes.
            let page = registry.serviceSummaries(after: last, limit: 1000)
            for service in page {
                // The name of a service is a DNS label: there is nothing to be escaped.
                let start = start + service.name.utf8
                for (status, end) in ends { sample(start, end, service.counts[status]) }
            }
            shown += page.count
            last = page.count == 1000 ? page.last?.name : nil
        } while last != nil && shown < Self.maximumServices
    }

    /// The health checks that this node runs.
    mutating func checks(_ summary: CheckSummary) {
        metric("\(Self.prefix)checks", .gauge, "Health checks that this node runs.", summary.checks)
        metric("\(Self.prefix)checks_running", .gauge, "Runs under way.", summary.running)
        metric("\(Self.prefix)checks_nodes", .gauge, "Nodes that share the checks.", summary.nodes)
        let runs = "\(Self.prefix)check_runs_total"
        begin(runs, .counter, "Runs of checks by type and result.")
        for type in Check.RunType.allCases {
            let own = summary.runs[type]
            for (result, count) in [
                ("success", own.succeeded), ("failure", own.failed), ("timeout", own.timedOut),
                ("unfinished", own.unfinished),
            ] {
                sample(runs, [Label("type", type.name), Label("result", result)], count)
            }
        }
        let durations = "\(Self.prefix)check_duration_seconds"
        begin(durations, .histogram, "How long finished runs took.")
        for type in Check.RunType.allCases {
            samples(durations, [Label("type", type.name)], of: summary.runs[type].durations)
        }
        metric(
            "\(Self.prefix)checks_cut_off", .gauge,
            "Whether so many checks fail that the checker takes itself for cut off: 1 or 0.", summary.isCutOff ? 1 : 0)
    }
}
