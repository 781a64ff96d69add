import Engine

extension JSONWriter {
    /// An explanation as the API shows it.
    ///
    /// - Parameter observer: knows what checks have found last.
    mutating func explanation(_ explanation: Explanation, _ observer: (any CheckObserver)?) {
        beginObject()
        member("name")
        string(explanation.text)
        member("kind")
        string(explanation.name.kind.rawValue)
        member("service")
        if let service = explanation.name.service { string(service) } else { null() }
        member("client")
        if let client = explanation.client { string("\(client)") } else { null() }
        member("time")
        time(explanation.now)
        member("answers")
        beginArray()
        for answer in explanation.answers { self.answer(answer, explanation) }
        endArray()
        member("grace_ends_at")
        time(explanation.graceEnd)
        member("last_known")
        if let lastKnown = explanation.lastKnown {
            beginObject()
            member("since")
            time(lastKnown.since)
            member("until")
            time(lastKnown.until)
            endObject()
        } else {
            null()
        }
        notes(explanation.notes)
        member("instances_total")
        integer(explanation.memberCount)
        member("instances")
        beginArray()
        for instance in explanation.members { self.explained(instance, observer) }
        endArray()
        member("nearest")
        beginArray()
        for name in explanation.nearest { string(name) }
        endArray()
        member("upstreams")
        beginArray()
        for upstream in explanation.upstreams { explained(upstream, explanation.now) }
        endArray()
        endObject()
    }

    private mutating func answer(_ answer: Explanation.Answer, _ explanation: Explanation) {
        guard let first = answer.inspections.first else { return }
        beginObject()
        member("type")
        string(PresentationForm.type(answer.type.rawValue))
        member("code")
        if let code = first.code { string(PresentationForm.code(code)) } else { null() }
        member("source")
        string(first.source.rawValue)
        member("why")
        string(answer.why(explanation))
        member("truncated_over_udp")
        bool(first.isTruncatedOverUDP)
        member("record_count")
        if let count = first.recordCount { integer(count) } else { null() }
        member("records")
        beginArray()
        for record in answer.records.first ?? [] { self.record(record) }
        endArray()
        member("workers")
        workers(answer)
        member("cache")
        if let cached = first.cached { self.cached(cached) } else { null() }
        member("failed_at")
        time(answer.failureAge.map { explanation.now.advanced(byMilliseconds: -$0.milliseconds) })
        member("recursion_allowed")
        bool(first.isTrusted)
        endObject()
    }

    private mutating func record(_ record: PresentationForm.RecordText) {
        beginObject()
        member("section")
        string(record.section.rawValue)
        member("name")
        string(record.name)
        member("ttl")
        integer(record.ttl)
        member("type")
        string(record.type)
        member("data")
        string(record.data)
        endObject()
    }

    /// What differs between the workers: which record comes first, as each rotates by itself.
    private mutating func workers(_ answer: Explanation.Answer) {
        beginArray()
        for (index, inspection) in answer.inspections.enumerated() {
            beginObject()
            member("worker")
            integer(index)
            member("zone_generation")
            integer(inspection.generation)
            member("first")
            let first = answer.records[index].first { $0.section == .answer }
            if let first { string(first.data) } else { null() }
            endObject()
        }
        endArray()
    }

    private mutating func cached(_ cached: Inspection.Cached) {
        beginObject()
        member("code")
        string(PresentationForm.code(cached.code))
        member("age_seconds")
        integer(max(cached.age.components.seconds, 0))
        member("ttl_seconds")
        integer(max(cached.remaining.wholeSeconds, 0))
        member("stale")
        bool(cached.remaining <= .zero)
        member("usable_seconds")
        integer(max(cached.remainingIfStale.wholeSeconds, 0))
        endObject()
    }

    private mutating func explained(_ member: Explanation.Member, _ observer: (any CheckObserver)?) {
        let instance = member.registered.instance
        beginObject()
        self.member("id")
        string(instance.id)
        self.member("ip")
        string("\(instance.address)")
        self.member("port")
        integer(instance.port)
        self.member("protocol")
        string(instance.transport.rawValue)
        self.member("weight")
        integer(instance.weight)
        self.member("priority")
        integer(instance.priority)
        self.member("status")
        string(member.hasExpired ? "expired" : member.registered.status.rawValue)
        self.member("since")
        time(member.registered.statusSince)
        self.member("answers")
        beginObject()
        for (type, reason) in member.reasons {
            self.member(any: PresentationForm.type(type.rawValue))
            string(reason.rawValue)
        }
        endObject()
        self.member("checks")
        let observations = instance.checks.isEmpty ? [] : observer?.observations(ofInstance: instance.id) ?? []
        checks(of: member.registered, observations)
        notes(member.notes)
        self.member("registered_at")
        time(instance.registeredAt)
        self.member("last_heartbeat")
        time(member.registered.lease.lastHeartbeat)
        self.member("expires_at")
        time(member.registered.lease.expiresAt)
        endObject()
    }

    private mutating func notes(_ notes: [ExplanationNote]) {
        member("notes")
        beginArray()
        for note in notes {
            beginObject()
            member("source")
            string(note.source)
            member("text")
            string(note.text)
            member("since")
            time(note.since)
            member("until")
            time(note.until)
            endObject()
        }
        endArray()
    }

    private mutating func explained(_ upstream: UpstreamStatistics, _ now: WallTime) {
        beginObject()
        member("address")
        string("\(upstream.address)")
        member("health")
        string(upstream.isHealthy ? "pass" : "fail")
        member("last_failure")
        if let failure = upstream.lastFailure { string(failure.kind.rawValue) } else { null() }
        member("failed_at")
        time(upstream.lastFailure.map { now.advanced(byMilliseconds: -$0.age.milliseconds) })
        endObject()
    }
}

extension RegisteredInstance {
    /// Since when its checks have given it this status; `nil`: they have not.
    fileprivate var statusSince: WallTime? {
        let results = instance.checks.map { result(of: $0) }
        return results.filter { $0.status.rawValue == status.rawValue }.map(\.since)
            .min { $0.millisecondsSince1970 < $1.millisecondsSince1970 }
    }
}

extension Explanation.Answer {
    /// The reason for the answer, in a sentence.
    fileprivate func why(_ explanation: Explanation) -> String {
        guard let first = inspections.first else { return "" }
        switch first.source {
        case .special: return "a special name, which is never forwarded"
        case .address: return "the address in the name"
        case .cache: return "an upstream's answer in the cache"
        case .upstream:
            return first.cached == nil ? "upstreams are asked" : "upstreams are asked, since the cached one has expired"
        case .none:
            if first.code != 5 { return "the query is not valid" }
            if explanation.name.kind != .outside { return "zone transfers are refused" }
            return first.isTrusted
                ? "no upstream is configured (dns.upstream.servers)"
                : "this client may not resolve names outside (dns.recursion_allow)"
        case .zone: return zoneReason(first, explanation)
        }
    }

    private func zoneReason(_ first: Inspection, _ explanation: Explanation) -> String {
        let isEmpty = explanation.memberCount == 0
        if first.isWithoutInstance {
            if explanation.graceEnd != nil { return "the last healthy instance has gone a short while ago" }
            return "no instance is healthy (dns.on_empty)"
        }
        if first.code == 3 {
            if explanation.name.service == nil { return "there is no such name" }
            return isEmpty ? "no instance is registered" : "no instance is healthy"
        }
        if records.first?.contains(where: { $0.section == .answer }) == true {
            return explanation.lastKnown == nil
                ? "records of the zone" : "no instance is healthy: the last known ones (dns.on_empty)"
        }
        return isEmpty
            ? "the name has no record of this type"
            : "the name has no record of this type now: see its instances"
    }
}
