/// What a query gets: decided by ``AnswerRules``, before anything is written.
///
/// No case has more than three words of 64 bits, which is what a function returns in registers beside the case.
enum Outcome {
    /// An RRset of a zone.
    case records(ZoneRecords)
    /// One record, packed.
    case record(OctetsView)
    /// The address that is in the asked name, which is one of the zone at that place.
    case address(IPAddress, zone: UInt32)
    /// NXDOMAIN: there is no such name, as a zone's SOA record says (RFC 2308 §2.1).
    case nameError(NegativeSOA.View, zoneOffset: UInt16)
    /// NODATA: there are no such records of the name (RFC 2308 §2.2).
    case noData(NegativeSOA.View, zoneOffset: UInt16)
    /// SERVFAIL, for nobody is healthy under the name.
    case noInstance
    /// A response code, and no records.
    case error(UInt16)
    /// What the cache has, or else an upstream: a name outside, which the client may have.
    case outside
}

/// An RRset in its shard: where its records are, or its list of them.
struct ZoneRecords {
    let shard: ShardView
    /// Its place in the shard.
    let place: Int

    /// The RRset.
    var rrset: PackedRRset {
        @inline(__always) get { shard.rrsets[place] }
    }
}
