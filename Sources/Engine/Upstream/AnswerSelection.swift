/// What of an upstream's answer is about the name that was asked. The rest is not passed on.
///
/// In ANSWER that is each CNAME record of the chain, the DNAME record that makes it, and of the last name the RRset
/// that was asked for; in AUTHORITY what a negative answer needs of the zone that this name is in (RFC 2308 §2), and
/// proofs of a zone that one of the names is in (RFC 4035 §3.1.3). Signatures go with what they cover. Nothing of it is
/// about a name that is answered here, nor redirects any.
struct AnswerSelection {
    private(set) var answers: [RecordPlace] = []
    private(set) var authority: [RecordPlace] = []
    /// Of the zone that the last name is in.
    private(set) var soa: RecordPlace?
    /// Whether there is a record of the type that was asked for, or any if that was asked.
    private(set) var hasFinalRecord = false
    private let own: OwnNames

    init(_ message: RawSpan, _ answers: [RecordPlace], of chain: inout AliasChain, _ key: CacheKey, own: OwnNames) {
        self.own = own
        selectAnswers(message, answers, &chain, key)
    }

    private mutating func selectAnswers(
        _ message: RawSpan, _ records: [RecordPlace], _ chain: inout AliasChain, _ key: CacheKey
    ) {
        let redirecting = redirecting(message, records, &chain)
        answers.reserveCapacity(records.count)
        for (index, record) in records.enumerated() {
            guard record.recordClass == RecordClass.internet, record.type != .opt else { continue }
            let owner = chain.owners[index]
            let covered = record.coveredType(in: message)
            // Above our zones it would redirect their names.
            if covered == .dname, own.hasZone(atOrBelow: owner) { continue }
            let isKept: Bool
            if owner == chain.end {
                let isFinal = record.type == key.type || key.type == .any
                isKept = !chain.endsAtOwnName && (isFinal || covered == key.type)
                if isKept, isFinal { hasFinalRecord = true }
            } else if covered == .cname, let position = chain.names.firstIndex(of: owner) {
                // RFC 1034 §3.6.2: a name with a CNAME record has no other data.
                isKept = record.type == .rrsig || chain.links[position] == index
            } else {
                isKept = covered == .dname && redirecting.contains(owner)
            }
            if isKept { answers.append(record) }
        }
    }

    /// The owners of the DNAME records that the aliases follow from.
    private func redirecting(
        _ message: RawSpan, _ records: [RecordPlace], _ chain: inout AliasChain
    ) -> Set<[UInt8]> {
        var owners: Set<[UInt8]> = []
        for (index, record) in records.enumerated() where record.type == .dname {
            let owner = chain.owners[index]
            guard !owners.contains(owner), chain.isAtOrAbove(owner),
                let target = DomainName.expanded(in: message, at: record.data.lowerBound),
                chain.isRedirected(from: owner, to: target)
            else { continue }
            owners.insert(owner)
        }
        return owners
    }

    /// Selects what is of use in AUTHORITY.
    ///
    /// - Parameters:
    ///   - isNegative: whether there is no such name, or no such record.
    ///   - wantsProofs: whether DNSSEC records are wanted.
    mutating func selectAuthority(
        _ message: RawSpan, _ records: [RecordPlace], of chain: inout AliasChain, isNegative: Bool, wantsProofs: Bool
    ) {
        guard !chain.endsAtOwnName, !records.isEmpty, isNegative || wantsProofs else { return }
        let records = records.filter { $0.recordClass == RecordClass.internet }
        let owners = records.map { DomainName.expanded(in: message, at: $0.owner) ?? [] }
        let place =
            isNegative
            ? records.indices.first {
                records[$0].type == .soa && DomainName.isName(chain.end, atOrBelow: owners[$0])
            } : nil
        soa = place.map { records[$0] }
        guard place != nil || wantsProofs else { return }
        let zone = place.map { owners[$0] }
        let proven = provenOwners(message, records, owners, &chain)
        for (index, record) in records.enumerated() {
            let isKept =
                switch record.coveredType(in: message) {
                case .soa: owners[index] == zone && (record.type == .rrsig || index == place)
                case .ns: owners[index] == zone
                case .nsec, .nsec3:
                    !own.contains(owners[index])
                        && (proven.contains(owners[index])
                            || zone.map { DomainName.isName(owners[index], atOrBelow: $0) } ?? false)
                default: false
                }
            if isKept { authority.append(record) }
        }
    }

    /// The owners of proofs that a zone has signed which one of the names is in.
    private func provenOwners(
        _ message: RawSpan, _ records: [RecordPlace], _ owners: [[UInt8]], _ chain: inout AliasChain
    ) -> Set<[UInt8]> {
        var proven: Set<[UInt8]> = []
        for (index, record) in records.enumerated() where record.type == .rrsig {
            let covered = record.coveredType(in: message)
            guard covered == .nsec || covered == .nsec3, record.data.count > Self.signerOffset,
                let signer = DomainName.expanded(in: message, at: record.data.lowerBound + Self.signerOffset),
                chain.isAtOrAbove(signer), DomainName.isName(owners[index], atOrBelow: signer)
            else { continue }
            proven.insert(owners[index])
        }
        return proven
    }

    /// Where the signer's name is in a signature's data (RFC 4034 §3.1).
    private static let signerOffset = 18
}
