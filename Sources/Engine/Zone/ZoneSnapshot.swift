/// All zones at one generation, frozen. Workers answer from it.
final class ZoneSnapshot: @unchecked Sendable {
    // Sendable: nothing in it is written after it has been made.

    /// Counts publications.
    let generation: UInt64
    /// In the configured order.
    let zones: [Zone]
    /// Views for the workers. Zones below others come first, so that the first zone that contains a name is the one
    /// with the longest matching origin. The publisher makes them, and each worker uses them as they are.
    let views: [ZoneView]
    /// The number of cells that a worker's ``RotationCells`` must have.
    let cellCount: Int

    init(generation: UInt64, zones: [Zone], cellCount: Int) {
        self.generation = generation
        self.zones = zones
        views = zones.map(\.view).sorted { $0.origin.byteCount > $1.origin.byteCount }
        self.cellCount = cellCount
    }
}

/// One zone, frozen.
///
/// Names are spread by their hash over 32 × 32 × 32 shards, a tree of three levels. A change rebuilds the shards that
/// it touches and the nodes above them, at most 96 references for each, however many names there are.
final class Zone: @unchecked Sendable {
    // Sendable: nothing in it is written after it has been made.

    /// The parts that never change.
    let fixed: ZoneConstants
    /// The apex: SOA and NS.
    let apex: ZoneShard
    /// The SOA record for the AUTHORITY section of negative answers (RFC 2308 §3).
    let negativeSOA: NegativeSOA
    /// All other names.
    let root: ZoneRoot

    init(fixed: ZoneConstants, apex: ZoneShard, negativeSOA: NegativeSOA, root: ZoneRoot) {
        self.fixed = fixed
        self.apex = apex
        self.negativeSOA = negativeSOA
        self.root = root
    }

    /// A view for queries, valid as long as the zone exists.
    var view: ZoneView {
        ZoneView(
            origin: fixed.origin.view, apex: apex.view, negativeSOA: negativeSOA.view, root: ZoneRootView(root),
            synthesis: fixed.synthesis)
    }
}

/// A view of a zone for queries.
struct ZoneView {
    /// The origin in wire form, in lower case.
    let origin: OctetsView
    let apex: ShardView
    let negativeSOA: NegativeSOA.View
    let root: ZoneRootView
    /// `nil`: the zone has no names for addresses.
    let synthesis: Synthesis?

    /// The parts of answers for synthesized names.
    struct Synthesis {
        /// An A record, without its four octets.
        let address4: OctetsView
        /// An AAAA record, without its sixteen octets.
        let address6: OctetsView
    }
}

/// The parts of a zone that are packed once and never change.
final class ZoneConstants: Sendable {
    /// The origin in wire form, in lower case.
    let origin: PackedOctets
    private let address4: PackedOctets
    private let address6: PackedOctets
    private let hasSynthesizedNames: Bool

    /// - Parameters:
    ///   - address4: an A record for a synthesized address, without its four octets.
    ///   - address6: an AAAA record, without its sixteen octets.
    ///   - hasSynthesizedNames: whether the zone has `<hex>.addr` names.
    init(origin: [UInt8], address4: [UInt8], address6: [UInt8], hasSynthesizedNames: Bool) {
        self.origin = PackedOctets(origin)
        self.address4 = PackedOctets(address4)
        self.address6 = PackedOctets(address6)
        self.hasSynthesizedNames = hasSynthesizedNames
    }

    /// See ``ZoneView/synthesis``.
    var synthesis: ZoneView.Synthesis? {
        hasSynthesizedNames ? ZoneView.Synthesis(address4: address4.view, address6: address6.view) : nil
    }
}
