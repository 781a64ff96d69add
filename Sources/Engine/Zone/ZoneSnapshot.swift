/// The whole zone at one generation, frozen: what the workers answer from.
///
/// Names are spread by their hash over 32 × 32 × 32 shards, a tree of three levels. A change rebuilds the shards that
/// it touches and the branches above them, at most 96 references each, however many names there are.
final class ZoneSnapshot: @unchecked Sendable {
    // Sendable: nothing in it is ever written once it is made.

    /// Counts publications.
    let generation: UInt64
    /// What all generations share.
    let fixed: ZoneConstants
    /// The apex: SOA and NS.
    let apex: ZoneShard
    /// The SOA record for the AUTHORITY section of negative answers (RFC 2308 §3). Pointers to the zone's name within
    /// the question are to be put where ``NegativeSOA`` says.
    let negativeSOA: PackedOctets
    /// Cells that a worker's ``RotationCells`` must have.
    let cellCount: Int
    /// All other names.
    let root: ZoneRoot

    init(
        generation: UInt64, fixed: ZoneConstants, apex: ZoneShard, negativeSOA: PackedOctets,
        cellCount: Int,
        root: ZoneRoot
    ) {
        self.generation = generation
        self.fixed = fixed
        self.apex = apex
        self.negativeSOA = negativeSOA
        self.cellCount = cellCount
        self.root = root
    }
}

/// What is packed once for the zone and never changes.
final class ZoneConstants: Sendable {
    /// The origin in wire form, in lower case.
    let origin: PackedOctets
    /// An A record for a synthesized address, without its four octets.
    let address4: PackedOctets
    /// An AAAA record, without its sixteen octets.
    let address6: PackedOctets
    /// The HINFO record that answers ANY (RFC 8482 §4.2).
    let any: PackedOctets

    init(origin: [UInt8], address4: [UInt8], address6: [UInt8], any: [UInt8]) {
        self.origin = PackedOctets(origin)
        self.address4 = PackedOctets(address4)
        self.address6 = PackedOctets(address6)
        self.any = PackedOctets(any)
    }
}
