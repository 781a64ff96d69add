import Engine

/// What works and what does not, each with a sentence that says why. Pure: what it judges is passed in.
struct HealthReport: Sendable, Equatable {
    /// How something is.
    enum Verdict: String, Sendable {
        case pass
        /// It works, but somebody should look at it.
        case warn
        case fail
    }

    /// One part of the server.
    struct Part: Sendable, Equatable {
        /// Has the form of a JSON member's name.
        var name: String
        var verdict: Verdict
        /// Why, for people.
        var message: String
    }

    /// From this share of its limit on, a queue or a registry is called nearly full.
    private static let nearlyFull = 0.5

    private(set) var parts: [Part] = []
    /// Whether DNS answers from a loaded registry.
    let isReady: Bool

    /// The server as a whole. Without its storage, upstreams or certificate it still answers DNS: that is a warning.
    var verdict: Verdict {
        if !isReady { return .fail }
        return parts.allSatisfy { $0.verdict == .pass } ? .pass : .warn
    }

    /// - Parameters:
    ///   - checks: `nil`: this server does none.
    ///   - certificate: `nil`: the REST API does not speak TLS.
    init(
        isReady: Bool, registry: RegistrySummary, upstreams: [UpstreamStatistics], checks: CheckSummary?,
        certificate: CertificateSummary?, now: WallTime
    ) {
        self.isReady = isReady
        add("dns", isReady ? .pass : .fail, isReady ? "DNS answers from a loaded registry" : "DNS does not answer yet")
        judge(registry.storeState, type: registry.storeType)
        judge(upstreams)
        judge(checks)
        judge(queued: registry.queuedChanges)
        if let certificate { judge(certificate, now) }
    }

    private mutating func add(_ name: String, _ verdict: Verdict, _ message: String) {
        parts.append(Part(name: name, verdict: verdict, message: message))
    }

    private mutating func judge(_ store: StoreState, type: String) {
        if let problem = store.problem { return add("storage", .fail, "\(type): \(problem)") }
        let kept = type == "memory" ? "changes are kept until the server stops" : "changes are kept in \(type)"
        add("storage", .pass, kept)
    }

    private mutating func judge(_ upstreams: [UpstreamStatistics]) {
        if upstreams.isEmpty { return add("upstreams", .pass, "none are configured: names outside are refused") }
        let bad = upstreams.filter { !$0.isHealthy }
        if bad.isEmpty {
            return add("upstreams", .pass, upstreams.count == 1 ? "it answers" : "all \(upstreams.count) answer")
        }
        let reasons = bad.map { upstream in
            let reason =
                if upstream.leadsBack { "leads back to this server" } else {
                    switch upstream.lastFailure?.kind {
                    case .timeout: "does not answer in time"
                    case .answer: "gives answers that are of no use"
                    case .connection: "refuses connections, or breaks them"
                    case .unreachable: "can't be reached"
                    case nil: "does not answer as usual"
                    }
                }
            return "\(upstream.address) \(reason)"
        }
        let rest = bad.count == upstreams.count ? ": names outside may fail" : ""
        add(
            "upstreams", bad.count == upstreams.count ? .fail : .warn,
            "\(bad.count) of \(upstreams.count): " + reasons.joined(separator: ", ") + rest)
    }

    private mutating func judge(_ checks: CheckSummary?) {
        guard let checks else { return add("checker", .pass, "this server does no checks") }
        if checks.isCutOff {
            return add(
                "checker", .warn,
                "most checks fail at once: this server takes itself for cut off, and statuses stay as they are")
        }
        let nodes = checks.nodes == 1 ? "" : ", of those that \(checks.nodes) nodes share"
        add("checker", .pass, "\(checks.checks) checks are done here\(nodes)")
    }

    private mutating func judge(queued: Int) {
        let limit = CommitQueue.maximumCommands
        let message = "\(queued) changes wait to be stored, of at most \(limit)"
        if queued >= limit {
            add("queue", .fail, message + ": clients are told to come back")
        } else {
            add("queue", Double(queued) >= Self.nearlyFull * Double(limit) ? .warn : .pass, message)
        }
    }

    private mutating func judge(_ certificate: CertificateSummary, _ now: WallTime) {
        let day = { (time: WallTime) in String(decoding: CalendarTime(time).rfc3339.prefix(10), as: UTF8.self) }
        let message =
            if certificate.isOver(at: now) {
                "it has expired on \(day(certificate.notAfter)): clients refuse it"
            } else if certificate.isEarly(at: now) {
                "it is not valid before \(day(certificate.notBefore)): clients refuse it"
            } else { "it ends on \(day(certificate.notAfter)), in \(certificate.daysLeft(at: now)) days" }
        let verdict: Verdict =
            switch certificate.state(at: now) {
            case .pass: .pass
            case .warn: .warn
            case .fail: .fail
            }
        add("certificate", verdict, message)
    }
}

extension JSONWriter {
    /// The report as an object.
    mutating func health(_ report: HealthReport) {
        beginObject()
        member("status")
        string(report.verdict.rawValue)
        member("checks")
        beginObject()
        for part in report.parts {
            member(any: part.name)
            beginObject()
            member("status")
            string(part.verdict.rawValue)
            member("message")
            string(part.message)
            endObject()
        }
        endObject()
        endObject()
    }
}
