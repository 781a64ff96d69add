/// The answer to a query. ``AnswerRules`` decides it before anything is written.
///
/// No case has more than three words of 64 bits: this is what a function returns in registers, besides the case.
enum Outcome {
    /// An RRset of a zone.
    case records(ZoneRecords)
    /// One packed record.
    case record(OctetsView)
    /// The address that is contained in the name; the name is in the zone with this index.
    case address(IPAddress, zone: UInt32)
    /// NXDOMAIN: the name does not exist, as a zone's SOA record says (RFC 2308 §2.1).
    case nameError(NegativeSOA.View, zoneOffset: UInt16)
    /// NODATA: the name has no such records (RFC 2308 §2.2).
    case noData(NegativeSOA.View, zoneOffset: UInt16)
    /// SERVFAIL, because the name has no healthy instance.
    case noInstance
    /// A response code without records.
    case error(UInt16)
    /// REFUSED for a reason.
    case refused(ExtendedError)
    /// NOTAUTH, because the query is signed (TSIG), and no keys are known here.
    case unknownKey
    /// The answer of the cache, or else of an upstream: for a name outside that the client may resolve.
    case outside
}

/// An RRset in its shard, which contains either its records or its list of them.
struct ZoneRecords {
    let shard: ShardView
    /// Its index in the shard.
    let place: Int

    /// The RRset.
    var rrset: PackedRRset {
        @inline(__always) get { shard.rrsets[place] }
    }
}
