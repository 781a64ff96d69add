/// What of an upstream's answer is about the name that was asked. The rest is not passed on.
///
/// In ANSWER that is each CNAME record of the chain, the DNAME record that makes it, and of the last name the RRset
/// that was asked for; in AUTHORITY what a negative answer needs of the zone that this name is in (RFC 2308 §2), and
/// proofs of a zone that one of the names is in (RFC 4035 §3.1.3). Signatures go with what they cover. Nothing of it is
/// about a name that is answered here, nor redirects any.
struct AnswerSelection {
    private(set) var answers: [PacketRecord] = []
    private(set) var authority: [PacketRecord] = []
    /// Of the zone that the last name is in.
    private(set) var soa: PacketRecord?
    /// Whether there is a record of the type that was asked for, or any if that was asked.
    private(set) var hasFinalRecord = false
    private let own: OwnNames

    init(_ packet: borrowing LdnsPacket, of chain: inout AliasChain, _ key: CacheKey, own: OwnNames) {
        self.own = own
        selectAnswers(packet, &chain, key)
    }

    private mutating func selectAnswers(
        _ packet: borrowing LdnsPacket, _ chain: inout AliasChain, _ key: CacheKey
    ) {
        let redirecting = redirecting(packet, &chain)
        answers.reserveCapacity(packet.answers.count)
        for record in packet.answers {
            guard record.recordClass == RecordClass.internet, record.type != .opt else { continue }
            // Above our zones it would redirect their names.
            if record.coveredType == .dname, own.hasZone(atOrBelow: record.owner) { continue }
            let isKept: Bool
            if record.owner == chain.end {
                let isFinal = record.type == key.type || key.type == .any
                isKept = !chain.endsAtOwnName && (isFinal || record.coveredType == key.type)
                if isKept, isFinal { hasFinalRecord = true }
            } else if record.coveredType == .cname, let position = chain.names.firstIndex(of: record.owner) {
                // RFC 1034 §3.6.2: a name with a CNAME record has no other data.
                isKept = record.type == .rrsig || chain.links[position] == record.index
            } else {
                isKept = record.coveredType == .dname && redirecting.contains(record.owner)
            }
            if isKept { answers.append(record) }
        }
    }

    /// The owners of the DNAME records that the aliases follow from.
    private func redirecting(_ packet: borrowing LdnsPacket, _ chain: inout AliasChain) -> Set<[UInt8]> {
        var owners: Set<[UInt8]> = []
        for record in packet.answers where record.type == .dname {
            guard !owners.contains(record.owner), chain.isAtOrAbove(record.owner),
                let target = packet.name(in: record, field: 0), chain.isRedirected(from: record.owner, to: target)
            else { continue }
            owners.insert(record.owner)
        }
        return owners
    }

    /// Selects what is of use in AUTHORITY.
    ///
    /// - Parameters:
    ///   - isNegative: whether there is no such name, or no such record.
    ///   - wantsProofs: whether DNSSEC records are wanted.
    mutating func selectAuthority(
        _ packet: borrowing LdnsPacket, of chain: inout AliasChain, isNegative: Bool, wantsProofs: Bool
    ) {
        let records = packet.authority.filter { $0.recordClass == RecordClass.internet }
        soa = isNegative ? records.first { $0.type == .soa && DomainName.isName(chain.end, atOrBelow: $0.owner) } : nil
        guard soa != nil || wantsProofs else { return }
        let zone = soa?.owner
        let proven = provenOwners(packet, records, &chain)
        for record in records {
            let isKept =
                switch record.coveredType {
                case .soa: record.owner == zone && (record.type == .rrsig || record.index == soa?.index)
                case .ns: record.owner == zone
                case .nsec, .nsec3:
                    !own.contains(record.owner)
                        && (proven.contains(record.owner)
                            || zone.map { DomainName.isName(record.owner, atOrBelow: $0) } ?? false)
                default: false
                }
            if isKept { authority.append(record) }
        }
    }

    /// The owners of proofs that a zone has signed which one of the names is in.
    private func provenOwners(
        _ packet: borrowing LdnsPacket, _ records: [PacketRecord], _ chain: inout AliasChain
    ) -> Set<[UInt8]> {
        var proven: Set<[UInt8]> = []
        for record in records where record.type == .rrsig {
            guard record.coveredType == .nsec || record.coveredType == .nsec3,
                let signer = packet.name(in: record, field: Self.signerField), chain.isAtOrAbove(signer),
                DomainName.isName(record.owner, atOrBelow: signer)
            else { continue }
            proven.insert(record.owner)
        }
        return proven
    }

    /// Which field of a signature's data the signer's name is (RFC 4034 §3.1).
    private static let signerField = 7
}
