/// All zones at one generation, frozen: what the workers answer from.
final class ZoneSnapshot: @unchecked Sendable {
    // Sendable: nothing in it is ever written once it is made.

    /// Counts publications.
    let generation: UInt64
    /// In the configured order.
    let zones: [Zone]
    /// What the workers read: zones below others come before them, so that the first that has a name is the one with
    /// the longest matching origin. Made by the publisher: each worker takes it over as it is.
    let views: [ZoneView]
    /// Cells that a worker's ``RotationCells`` must have.
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
/// it touches and the branches above them, at most 96 references each, however many names there are.
final class Zone: @unchecked Sendable {
    // Sendable: nothing in it is ever written once it is made.

    /// What never changes.
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

    /// What is read of it for a query; good as long as the zone is there.
    var view: ZoneView {
        ZoneView(
            origin: fixed.origin.view, apex: apex.view, negativeSOA: negativeSOA.view, root: ZoneRootView(root),
            synthesis: fixed.synthesis)
    }
}

/// What is read of a zone for a query.
struct ZoneView {
    /// The origin in wire form, in lower case.
    let origin: OctetsView
    let apex: ShardView
    let negativeSOA: NegativeSOA.View
    let root: ZoneRootView
    /// `nil`: the zone has no names for addresses.
    let synthesis: Synthesis?

    /// What the answers for synthesized names are made of.
    struct Synthesis {
        /// An A record, without its four octets.
        let address4: OctetsView
        /// An AAAA record, without its sixteen octets.
        let address6: OctetsView
    }
}

/// What is packed once for a zone and never changes.
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
