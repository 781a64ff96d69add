/// Answers for names in the zones.
extension AnswerRules {
    /// Decides the answer for a name in a zone.
    @inline(__always)
    func zoneOutcome(of query: Query, in message: RawSpan, from client: IPAddress?) -> Outcome {
        guard let question = query.question, let position = query.position, query.zone < zones.count else {
            return .error(ResponseCode.refused)
        }
        let name = question.name(in: message).extracting(0..<position.relativeByteCount)
        let shard: ShardView
        let found: Int?
        if position.labelCount == 0 {
            shard = zones[query.zone].apex
            found = 0
        } else {
            shard = zones[query.zone].root.view(for: query.hash)
            found =
                switch query.entry {
                case .unknown: shard.index(of: name, hash: query.hash)
                case .missing: nil
                case .found(let index): index
                }
        }
        guard let found else {
            if zones[query.zone].synthesis != nil,
                SynthesizedAddress.isBelow(name, lastLabelOffset: position.lastLabelOffset)
            {
                // `addr.<origin>` itself is an empty non-terminal.
                if position.labelCount == 1 { return noData(query.zone, position) }
                guard let address = address(of: name, position, from: client) else {
                    return nameError(query.zone, position)
                }
                if question.type == .any { return .record(fixed.any) }
                guard question.type == address.recordType else { return noData(query.zone, position) }
                return .address(address, zone: UInt32(truncatingIfNeeded: query.zone))
            }
            return nameError(query.zone, position)
        }
        let entry = shard.names[found]
        guard entry.kind != .failure else { return .noInstance }
        if let place = shard.rrset(question.type, of: entry) {
            return .records(ZoneRecords(shard: shard, place: place))
        }
        // RFC 8482 §4.2: a HINFO record instead of everything.
        if question.type == .any, entry.rrsetCount > 0 { return .record(fixed.any) }
        return noData(query.zone, position)
    }

    /// Finds the entry of a name in a zone, before it is answered.
    ///
    /// - Returns: the first rotation cell of the RRset that answers; `nil`: none does.
    @inline(__always)
    func locate(_ query: inout Query, in message: RawSpan) -> UInt32? {
        guard let question = query.question, let position = query.position, query.zone < zones.count else { return nil }
        let name = question.name(in: message).extracting(0..<position.relativeByteCount)
        let shard = zones[query.zone].root.view(for: query.hash)
        guard let found = shard.index(of: name, hash: query.hash) else {
            query.entry = .missing
            return nil
        }
        query.entry = .found(found)
        return shard.rrset(question.type, of: shard.names[found]).map { shard.rrsets[$0].firstCell }
    }

    /// The address that a name below `addr.<origin>` stands for. An address that nobody may register has no name.
    /// Otherwise its name could be used to get around a filter that forbids the address.
    private func address(
        of name: RawSpan, _ position: DomainName.Position, from client: IPAddress?
    ) -> IPAddress? {
        guard position.labelCount == 2, let address = SynthesizedAddress.read(name),
            addresses.contains(address, client: { client })
        else { return nil }
        return address
    }

    // A zone's view is large, so only the parts that are needed are read: each time, the zone is found by its index.

    /// NXDOMAIN for a name in the zone with this index.
    @inline(__always)
    private func nameError(_ zone: Int, _ name: DomainName.Position) -> Outcome {
        .nameError(zones[zone].negativeSOA, zoneOffset: name.zoneOffset)
    }

    /// NODATA for a name in the zone with this index.
    @inline(__always)
    private func noData(_ zone: Int, _ name: DomainName.Position) -> Outcome {
        .noData(zones[zone].negativeSOA, zoneOffset: name.zoneOffset)
    }
}
