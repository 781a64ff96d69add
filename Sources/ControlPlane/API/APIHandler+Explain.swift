import Engine

extension APIHandler {
    /// `GET /api/v1/explain`
    func explain(_ target: RequestTarget, from client: IPAddress?) async -> ServerResponse {
        let query: ExplainQuery
        do throws(InvalidFields) {
            query = try ExplainQuery(target)
        } catch {
            return .invalid(error)
        }
        guard let dns, state.isReady else { return .busy("DNS does not answer yet") }
        let response = await largeAnswers.run { () -> ServerResponse in
            guard let explanation = await explanation(query, dns, client) else {
                return .busy("DNS does not answer")
            }
            return .json(capacity: 4096) { $0.explanation(explanation, checks) }
        }
        return response ?? .busy("too many long answers are asked for at once")
    }

    private func explanation(
        _ query: ExplainQuery, _ dns: any DNSInsight, _ client: IPAddress?
    ) async -> Explanation? {
        let name = ExplainedName(query.name, origin: dns.serviceOrigin)
        let usual: [RecordType] = name.kind == .outside ? [.a, .aaaa] : [.a, .aaaa, .srv]
        let types = query.type.map { [RecordType(rawValue: $0)] } ?? usual
        // Before the answers, so that a change in between shows as an answer that is newer.
        var known = NameExplanation()
        if let service = name.service {
            known = await registry.explain(
                name.relative, name.part, ofService: service, types: types.filter { usual.contains($0) })
        }
        var answers: [Explanation.Answer] = []
        for type in types {
            let inspections = await dns.inspections(query.name, type: type.rawValue, client: client)
            guard !inspections.isEmpty else { return nil }
            answers.append(
                Explanation.Answer(
                    type: type, inspections: inspections, records: inspections.map(\.records),
                    failureAge: name.kind == .outside ? dns.failureAge(query.name, type: type.rawValue) : nil))
        }
        let now = time.now()
        var explanation = Explanation(
            text: PresentationForm.name(query.name), name: name, client: client, answers: answers, now: now.wall)
        explanation.memberCount = known.instances.count
        explanation.graceEnd = known.graceEnd.map { now.advanced(by: now.monotonic.duration(to: $0)).wall }
        explanation.lastKnown = known.lastKnown.map { ($0.since, $0.until) }
        add(known, to: &explanation)
        if name.kind == .outside { explanation.upstreams = dns.upstreamStatistics() }
        if known.instances.isEmpty { explanation.nearest = nearest(to: name, query.name, dns) }
        return explanation
    }

    private func add(_ known: NameExplanation, to explanation: inout Explanation) {
        if let service = explanation.name.service {
            explanation.notes = registry.brakes(ofService: service).map {
                ExplanationNote(source: $0.kind.rawValue, text: $0.reason, since: $0.since, until: $0.until)
            }
        }
        var reasons: [(type: RecordType, reasons: [AnswerReason])] = []
        for answer in explanation.answers {
            guard let expected = known.reasons[answer.type] else { continue }
            reasons.append((answer.type, answer.confirmed(expected, known.instances)))
        }
        for (index, registered) in known.instances.prefix(Explanation.maximumMembers).enumerated() {
            let note = known.lastKnown?.note(on: registered)
            explanation.members.append(
                Explanation.Member(
                    registered: registered, reasons: reasons.map { ($0.type, $0.reasons[index]) },
                    notes: note.map { [$0] } ?? [],
                    hasExpired: known.lastKnown?.expired[registered.instance.sequence] != nil))
        }
    }

    /// Names that exist and are almost the one that was asked for.
    private func nearest(to name: ExplainedName, _ wire: [UInt8], _ dns: any DNSInsight) -> [String] {
        let domain = PresentationForm.name(dns.serviceOrigin)
        guard let service = name.service ?? name.onlyLabel(wire) else { return [] }
        var services = registry.services(near: service)
        let exists = registry.has(.whole, inService: service)
        if exists { services.insert(service, at: 0) }
        var names: [String] = []
        for service in services {
            switch name.part {
            case .tag(let tag):
                let tags = Set(registry.instances(ofService: service).flatMap(\.instance.tags))
                let near = tags.filter { editDistance($0, tag) <= 2 }.sorted().prefix(3)
                names += near.isEmpty ? [service] : near.map { "\($0).\(service)" }
            case .transport(let asked):
                let others = [asked] + TransportProtocol.allCases.filter { $0 != asked }
                names += others.filter { registry.has(.transport($0), inService: service) }
                    .compactMap { $0.relativeName(of: service) }
            case .whole: names.append(service)
            }
        }
        return names.filter { $0 != name.relative }.prefix(5).map { "\($0).\(domain)" }
    }
}
