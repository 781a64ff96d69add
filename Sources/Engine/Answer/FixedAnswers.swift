/// Answers that come from no zone: to ANY, and in class CH to `version.bind` and `version.server`, as BIND and NSD give
/// them.
struct FixedAnswers: Sendable {
    private let anyRecord: PackedOctets
    /// The HINFO record that answers ANY (RFC 8482 §4.2).
    let any: OctetsView
    /// The packed TXT record with the version; `nil`: the version is not disclosed.
    private let version: PackedOctets?
    private let names: [PackedOctets]
    private let noInstanceText: PackedOctets
    /// The text of the extended error for a name without a healthy instance (RFC 8914 §2).
    let noInstance: OctetsView

    /// - Parameters:
    ///   - version: the text, at most 255 octets; if it is empty, queries for it are REFUSED.
    ///   - ttl: the TTL of the records, in seconds.
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

    /// The record that answers `question` in class CH; `nil`: the query is REFUSED.
    func chaosRecord(for question: Question, in query: RawSpan) -> OctetsView? {
        guard let version, question.type == .txt || question.type == .any else { return nil }
        for name in names where question.name(in: query).isName(name.view.span) { return version.view }
        return nil
    }
}
