import Engine
import HTTPTypes

extension APIHandler {
    /// `GET /api/v1/names`
    func names(_ request: Endpoint.Request) async -> ServerResponse {
        let query: NamesQuery
        do throws(InvalidFields) {
            query = try NamesQuery(request.target)
        } catch {
            return .invalid(error)
        }
        let interest = FeedInterest(subject: .names)
        if let problem = await wait(query.wait, for: interest, request) { return problem }
        // Ask for one more than is shown, to learn whether there is one.
        let read = await registry.reading {
            registry.serviceSummaries(after: query.after, limit: query.limit + 1)
        }
        return Self.names(read.value, query).at(index: read.index)
    }

    private static func names(_ found: [ServiceSummary], _ query: NamesQuery) -> ServerResponse {
        let summaries = found.prefix(query.limit)
        return .json(capacity: 32 + summaries.count * 96) { writer in
            writer.beginObject()
            writer.member("names")
            writer.beginArray()
            for summary in summaries {
                writer.beginObject()
                writer.member("name")
                writer.string(summary.name)
                writer.statusCounts(summary.counts)
                writer.endObject()
            }
            writer.endArray()
            writer.member("next_cursor")
            if found.count > query.limit, let last = summaries.last {
                writer.string(last.name)
            } else {
                writer.null()
            }
            writer.endObject()
        }
    }

    /// `GET /api/v1/status`
    func status() -> ServerResponse { .json(capacity: 2048, writeStatus) }

    /// The status as one line without a line feed.
    var statusText: String {
        var writer = JSONWriter(capacity: 2048)
        writeStatus(&writer)
        return String(decoding: writer.octets, as: UTF8.self)
    }

    private func writeStatus(_ writer: inout JSONWriter) {
        let summary = registry.summary()
        let statistics = state.statistics
        writer.beginObject()
        writer.member("version")
        writer.string(state.version)
        writer.member("uptime_seconds")
        writer.integer(state.uptimeSeconds(now: time.now().monotonic))
        writer.member("ready")
        writer.bool(state.isReady)
        writer.member("health")
        writer.health(healthReport(summary, statistics))
        writer.member("storage")
        writer.beginObject()
        writer.member("type")
        writer.string(summary.storeType)
        writer.member("health")
        writer.string(summary.storeState.isHealthy ? "pass" : "fail")
        writer.member("lag_seconds")
        writer.decimal(summary.storeState.lagSeconds)
        writer.storeDetails(summary.storeState)
        writer.endObject()
        writer.member("certificate")
        if let certificate = state.certificate {
            writer.certificate(certificate, now: time.now().wall)
        } else {
            writer.null()
        }
        writer.member("checks")
        writer.checkSummary(checks?.summary ?? CheckSummary())
        writer.member("instances")
        writer.beginObject()
        writer.member("total")
        writer.integer(summary.counts.total)
        writer.statusCounts(summary.counts)
        writer.endObject()
        writer.member("services")
        writer.integer(summary.serviceCount)
        writer.member("zone")
        writer.beginObject()
        writer.member("domain")
        if let dns { writer.string(PresentationForm.name(dns.serviceOrigin)) } else { writer.null() }
        writer.member("generation")
        writer.integer(summary.zoneGeneration)
        writer.endObject()
        writer.member("access")
        writer.access(tokens: access.tokenCount, access.refusals.counts)
        writer.member("brakes")
        let (brakes, brakeCount) = registry.brakesInForce()
        writer.beginObject()
        writer.member("count")
        writer.integer(brakeCount)
        writer.member("oldest")
        writer.beginArray()
        for brake in brakes { writer.brake(brake) }
        writer.endArray()
        writer.endObject()
        writer.member("last_known_names")
        writer.integer(summary.lastKnownNames)
        for group in Counter.Group.allCases {
            writer.member(group.rawValue)
            writer.counters(group, statistics)
        }
        writer.member("upstreams")
        writer.upstreamStatistics(statistics.upstreams)
        writer.endObject()
    }

    /// `GET /api/v1/health`
    func health() -> ServerResponse {
        let report = healthReport(registry.summary(), state.statistics)
        return .json(report.isReady ? .ok : .serviceUnavailable) { $0.health(report) }
    }

    private func healthReport(_ summary: RegistrySummary, _ statistics: EngineStatistics) -> HealthReport {
        HealthReport(
            isReady: state.isReady, registry: summary, upstreams: statistics.upstreams, checks: checks?.summary,
            certificate: state.certificate, now: time.now().wall)
    }

    /// `GET /ready`
    func ready() -> ServerResponse {
        let storage = registry.storeState
        guard state.isReady else { return .notReady("DNS does not answer yet", storage) }
        return .json { writer in
            writer.beginObject()
            writer.member("status")
            writer.string("ready")
            writer.member("storage")
            writer.beginObject()
            writer.member("health")
            writer.string(storage.isHealthy ? "pass" : "fail")
            writer.member("lag_seconds")
            writer.decimal(storage.lagSeconds)
            writer.endObject()
            writer.endObject()
        }
    }
}

extension JSONWriter {
    /// What keeps a service from being wrongly empty.
    mutating func brake(_ brake: BrakeInForce) {
        beginObject()
        member("kind")
        string(brake.kind.rawValue)
        member("name")
        string(brake.name)
        member("since")
        time(brake.since)
        member("until")
        time(brake.until)
        member("reason")
        string(brake.reason)
        endObject()
    }

    /// The certificate of the REST API.
    fileprivate mutating func certificate(_ certificate: CertificateSummary, now: WallTime) {
        beginObject()
        member("health")
        string(certificate.state(at: now).rawValue)
        member("subject")
        string(certificate.subject)
        member("not_before")
        time(certificate.notBefore)
        member("not_after")
        time(certificate.notAfter)
        member("days_left")
        integer(certificate.daysLeft(at: now))
        endObject()
    }

    /// Who may use the API, and how often requests were refused.
    ///
    /// - Parameter tokens: how many there are; `nil`: none are needed.
    fileprivate mutating func access(tokens: Int?, _ counts: AccessRefusal.Counts) {
        beginObject()
        member("tokens_required")
        bool(tokens != nil)
        for (name, number) in [
            ("tokens", tokens ?? 0), ("unauthorized", counts.unauthorized), ("forbidden", counts.forbidden),
            ("malformed", counts.malformed),
        ] {
            member(name)
            integer(number)
        }
        endObject()
    }

    /// The counters of a group as an object.
    fileprivate mutating func counters(_ group: Counter.Group, _ statistics: EngineStatistics) {
        beginObject()
        for counter in Counter.allCases where counter.description.group == group {
            member(counter.description.name)
            integer(statistics[counter])
        }
        endObject()
    }

    /// The state of each upstream.
    fileprivate mutating func upstreamStatistics(_ upstreams: [UpstreamStatistics]) {
        beginArray()
        for upstream in upstreams {
            beginObject()
            member("address")
            string("\(upstream.address)")
            member("health")
            string(upstream.isHealthy ? "pass" : "fail")
            member("round_trip_seconds")
            if let time = upstream.roundTripTime { decimal(time / .seconds(1), places: 6) } else { null() }
            for counter in UpstreamCounter.allCases {
                member(counter.rawValue)
                integer(upstream[counter])
            }
            member("leads_back")
            bool(upstream.leadsBack)
            endObject()
        }
        endArray()
    }

    /// What a store reports about itself, as members of the object being written.
    fileprivate mutating func storeDetails(_ state: StoreState) {
        if let problem = state.problem {
            member("problem")
            string(problem)
        }
        for detail in state.details {
            member(detail.name)
            switch detail.value {
            case .number(let number): integer(number)
            case .text(let text): string(text)
            }
        }
    }
}
