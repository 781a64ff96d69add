/// What answers have that comes from no zone: the identifier, answers to ANY, and in class CH those to `version.bind`,
/// `version.server`, `id.server` and `hostname.bind` (RFC 4892), as BIND and NSD give them.
struct FixedAnswers: Sendable {
    private let anyRecord: PackedOctets
    /// The HINFO record that answers ANY (RFC 8482 §4.2).
    let any: OctetsView
    /// The packed TXT record with the version; `nil`: the version is not disclosed.
    private let version: PackedOctets?
    /// The packed TXT record with the identifier; `nil`: there is none.
    private let identity: PackedOctets?
    private let versionNames: [PackedOctets]
    private let identityNames: [PackedOctets]
    private let noInstanceText: PackedOctets
    /// The text of the extended error for a name without a healthy instance (RFC 8914 §2).
    let noInstance: OctetsView
    private let identifierText: PackedOctets?
    /// The name server identifier (RFC 5001); `nil`: there is none.
    let identifier: OctetsView?
    /// How long a TCP connection may be idle, in units of 100 ms (RFC 7828 §3.1).
    let keepalive: UInt16

    /// - Parameters:
    ///   - version: the text, at most 255 octets; if it is empty, queries for it are REFUSED.
    ///   - ttl: the TTL of the records, in seconds.
    ///   - identifier: the name server identifier, at most 255 octets; if it is empty, no reply has one.
    ///   - idleTimeout: how long a TCP connection may be idle.
    init(
        version: String, ttl: UInt32, identifier: String = "", idleTimeout: Duration = .zero
    ) throws(EngineError) {
        guard identifier.utf8.count <= 255 else {
            throw .invalidConfiguration("the name server identifier is longer than 255 octets")
        }
        guard version.utf8.count <= 255 else {
            throw .invalidConfiguration("the version text is longer than 255 octets")
        }
        anyRecord = PackedOctets(try RecordPacker(.hinfo, ttl: ttl, [.text("RFC8482"), .text("")]).packed())
        any = anyRecord.view
        func record(_ text: String) throws(EngineError) -> PackedOctets? {
            guard !text.isEmpty else { return nil }
            let record = try RecordPacker(.txt, recordClass: RecordClass.chaos, ttl: ttl, [.text(text)])
            return PackedOctets(try record.packed())
        }
        self.version = try record(version)
        identity = try record(identifier)
        noInstanceText = PackedOctets([UInt8]("no healthy instance".utf8))
        noInstance = noInstanceText.view
        identifierText = identifier.isEmpty ? nil : PackedOctets([UInt8](identifier.utf8))
        self.identifier = identifierText?.view
        keepalive = UInt16(clamping: Nanoseconds(idleTimeout).count / 100_000_000)
        func wire(_ names: String...) -> [PackedOctets] {
            names.compactMap { RecordPacker.wireName($0).map(PackedOctets.init) }
        }
        versionNames = wire("version.bind", "version.server")
        identityNames = wire("id.server", "hostname.bind")
    }

    /// The record that answers `question` in class CH; `nil`: the query is REFUSED.
    func chaosRecord(for question: Question, in query: RawSpan) -> OctetsView? {
        guard question.type == .txt || question.type == .any else { return nil }
        let asked = question.name(in: query)
        for name in versionNames where asked.isName(name.view.span) { return version?.view }
        for name in identityNames where asked.isName(name.view.span) { return identity?.view }
        return nil
    }
}
