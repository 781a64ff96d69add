import Engine

/// Why a name is answered as it is.
struct Explanation: Sendable {
    /// The answer for one type.
    struct Answer: Sendable {
        var type: RecordType
        /// What each worker would answer; never empty.
        var inspections: [Inspection]
        /// The records of each worker's answer.
        var records: [[PresentationForm.RecordText]]
        /// How long ago upstreams have failed to answer.
        var failureAge: Duration?
    }

    /// An instance of the name.
    struct Member: Sendable {
        var registered: RegisteredInstance
        /// For each type, whether and why it is in the answer.
        var reasons: [(type: RecordType, reason: AnswerReason)]
        var notes: [ExplanationNote]
        /// Whether it has expired, and is only the last known.
        var hasExpired = false
    }

    /// The most instances that are shown.
    static let maximumMembers = 1000

    var text: String
    var name: ExplainedName
    var client: IPAddress?
    var answers: [Answer]
    var members: [Member] = []
    /// The number of instances, however many are shown.
    var memberCount = 0
    var graceEnd: WallTime?
    /// Since when the name answers its last known instances, and until when at most; `nil`: it does not.
    var lastKnown: (since: WallTime, until: WallTime)?
    var notes: [ExplanationNote] = []
    /// Names that exist and are almost this one.
    var nearest: [String] = []
    var upstreams: [UpstreamStatistics] = []
    var now: WallTime
}

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
        await add(known, to: &explanation)
        if name.kind == .outside { explanation.upstreams = dns.upstreamStatistics() }
        if known.instances.isEmpty { explanation.nearest = nearest(to: name, query.name, dns) }
        return explanation
    }

    private func add(_ known: NameExplanation, to explanation: inout Explanation) async {
        if let service = explanation.name.service {
            explanation.notes = registry.brakes(ofService: service).map {
                ExplanationNote(source: $0.kind.rawValue, text: $0.reason, since: $0.since, until: $0.until)
            }
            for source in explanations { explanation.notes += await source.notes(onService: service) }
        }
        var reasons: [(type: RecordType, reasons: [AnswerReason])] = []
        for answer in explanation.answers {
            guard let expected = known.reasons[answer.type] else { continue }
            reasons.append((answer.type, answer.confirmed(expected, known.instances)))
        }
        for (index, registered) in known.instances.prefix(Explanation.maximumMembers).enumerated() {
            var notes: [ExplanationNote] = []
            for source in explanations { notes += await source.notes(on: registered) }
            if let note = known.lastKnown?.note(on: registered) { notes.append(note) }
            explanation.members.append(
                Explanation.Member(
                    registered: registered, reasons: reasons.map { ($0.type, $0.reasons[index]) }, notes: notes,
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

extension LastKnownTerm {
    /// What is said of an instance that the name answers.
    fileprivate func note(on registered: RegisteredInstance) -> ExplanationNote? {
        let sequence = registered.instance.sequence
        guard members.contains(sequence) else { return nil }
        let cause = expired[sequence].map { "it has expired at \(Self.text($0))" } ?? "it is critical"
        return ExplanationNote(
            source: "last_known", text: "\(cause), but no instance is healthy: it is one of the last known",
            since: since, until: until)
    }

    private static func text(_ time: WallTime) -> String { String(decoding: CalendarTime(time).rfc3339, as: UTF8.self) }
}

extension ExplainedName {
    /// The label of a name outside that has only one: most likely the domain was left out.
    fileprivate func onlyLabel(_ wire: [UInt8]) -> String? {
        guard kind == .outside, let length = wire.first, length > 0, wire.count == Int(length) + 2 else { return nil }
        return String(decoding: wire.dropFirst().dropLast(), as: UTF8.self)
    }
}

extension Explanation.Answer {
    /// The reasons as the engine's own answer confirms them: an instance is answered if its record is in the answer.
    ///
    /// - Parameters:
    ///   - expected: the reasons that follow from what is registered.
    ///   - instances: in the same order.
    func confirmed(_ expected: [AnswerReason], _ instances: [RegisteredInstance]) -> [AnswerReason] {
        guard let first = inspections.first, let records = records.first else { return expected }
        let answered = records.filter { $0.section == .answer }
        // A long answer has only some of the records.
        guard answered.count >= first.recordCount ?? 0 else { return expected }
        var keys: Set<String> = []
        for record in answered { keys.insert(Self.key(of: record)) }
        let sharing = zip(expected, instances).filter { $0.0.isAnswered }.map { key(of: $0.1.instance) }
        let explained = Set(sharing)
        return zip(expected, instances).map { reason, registered in
            let key = key(of: registered.instance)
            if reason.isAnswered { return keys.contains(key) ? reason : .missing }
            // The record may be that of another instance at the same place.
            return keys.contains(key) && !explained.contains(key) ? .answered : reason
        }
    }

    /// What the record of an instance says: an address, or a port and the first label of a target.
    private func key(of instance: ServiceInstance) -> String {
        guard type == .srv else { return instance.address.description }
        return "\(instance.port) \(Self.hexadecimal(instance.address))"
    }

    private static func key(of record: PresentationForm.RecordText) -> String {
        let fields = record.data.split(separator: " ")
        guard record.type == "SRV", fields.count == 4 else { return record.data }
        // Literal targets are addresses, with a dot at the end.
        let address = IPAddress(fields[3].dropLast())
        let target = address.map(hexadecimal) ?? String(fields[3].prefix { $0 != "." })
        return "\(fields[2]) \(target)"
    }

    private static func hexadecimal(_ address: IPAddress) -> String {
        address.octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
