/// The part of an upstream's answer that is about the name in the question. The rest is not passed on.
///
/// In ANSWER this is each CNAME record of the chain, the DNAME record from which it follows, and the requested RRset of
/// the last name. In AUTHORITY this is what a negative answer needs from the last name's zone (RFC 2308 §2), and proofs
/// from a zone of any of the names (RFC 4035 §3.1.3). Signatures stay with the records that they cover. No selected
/// record is about a name that is answered here, and none redirects such a name.
struct AnswerSelection {
    private(set) var answers: [PacketRecord] = []
    private(set) var authority: [PacketRecord] = []
    /// The SOA record of the last name's zone.
    private(set) var soa: PacketRecord?
    /// Whether there is a record of the requested type; for ANY, whether there is any record.
    private(set) var hasFinalRecord = false
    private let own: OwnNames

    init(from packet: borrowing LdnsPacket, of chain: inout AliasChain, key: CacheKey, own: OwnNames) {
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
            // A DNAME record above our zones would redirect their names.
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

    /// The owners of the DNAME records from which the aliases follow.
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

    /// Selects the useful records of AUTHORITY.
    ///
    /// - Parameters:
    ///   - isNegative: whether the name does not exist, or has no record of the requested type.
    ///   - wantsProofs: whether DNSSEC records are wanted.
    mutating func selectAuthority(
        from packet: borrowing LdnsPacket, of chain: inout AliasChain, isNegative: Bool, wantsProofs: Bool
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

    /// The owners of proofs that were signed by the zone of one of the names.
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

    /// The index of the signer's name among the fields of a signature's data (RFC 4034 §3.1).
    private static let signerField = 7
}
