/// Answers that no zone has: to ANY, and in class CH to `version.bind` and `version.server`, as BIND and NSD have them.
struct FixedAnswers: Sendable {
    private let anyRecord: PackedOctets
    /// The HINFO record that answers ANY (RFC 8482 §4.2).
    let any: OctetsView
    /// The packed TXT record; empty when the version is not told.
    private let version: PackedOctets?
    private let names: [PackedOctets]
    private let noInstanceText: PackedOctets
    /// What people are told of a name that is a failure (RFC 8914 §2).
    let noInstance: OctetsView

    /// - Parameters:
    ///   - version: at most 255 octets; empty: REFUSED.
    ///   - ttl: in seconds.
    init(version: String, ttl: UInt32) throws(EngineError) {
        guard version.utf8.count <= 255 else {
            throw .invalidConfiguration("the version text is longer than 255 octets")
        }
        anyRecord = PackedOctets(try RecordPacker(.hinfo, ttl: ttl, [.text("RFC8482"), .text("")]).packed())
        any = anyRecord.view
        let record = try RecordPacker(.txt, recordClass: RecordClass.chaos, ttl: ttl, [.text(version)])
        self.version = version.isEmpty ? nil : PackedOctets(try record.packed())
        noInstanceText = PackedOctets([UInt8]("no healthy instance".utf8))
        noInstance = noInstanceText.view
        names = ["version.bind", "version.server"].compactMap {
            RecordPacker.wireName($0).map(PackedOctets.init)
        }
    }

    /// The record that answers `question` in class CH; `nil`: REFUSED.
    func chaosRecord(for question: Question, in query: RawSpan) -> OctetsView? {
        guard let version, question.type == .txt || question.type == .any else { return nil }
        for name in names where question.name(in: query).isName(name.view.span) { return version.view }
        return nil
    }
}
