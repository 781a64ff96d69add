/// Answers in class CH: `version.bind` and `version.server`, as BIND and NSD have them.
struct ChaosAnswer: Sendable {
    /// The packed TXT record; empty when the version is not told.
    private let version: PackedOctets?
    private let names: [PackedOctets]

    /// - Parameters:
    ///   - version: at most 255 octets; empty: REFUSED.
    ///   - ttl: in seconds.
    init(version: String, ttl: UInt32) throws(EngineError) {
        guard version.utf8.count <= 255 else {
            throw .invalidConfiguration("the version text is longer than 255 octets")
        }
        let record = try RecordPacker(.txt, recordClass: RecordClass.chaos, ttl: ttl, [.text(version)])
        self.version = version.isEmpty ? nil : PackedOctets(try record.packed())
        names = ["version.bind", "version.server"].compactMap {
            RecordPacker.wireName($0).map(PackedOctets.init)
        }
    }

    /// The record that answers `question`; `nil`: REFUSED.
    func record(for question: Question, in query: RawSpan) -> OctetsView? {
        guard let version, question.type == .txt || question.type == .any else { return nil }
        for name in names where question.name(in: query).isName(name.view.span) { return version.view }
        return nil
    }
}
