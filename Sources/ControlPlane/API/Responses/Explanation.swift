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

extension LastKnownTerm {
    /// What is said of an instance that the name answers.
    func note(on registered: RegisteredInstance) -> ExplanationNote? {
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
    func onlyLabel(_ wire: [UInt8]) -> String? {
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
