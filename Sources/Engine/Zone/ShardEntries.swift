/// One name of a shard.
struct NameEntry {
    /// What a name answers, apart from its RRsets.
    enum Kind: UInt8 {
        /// It has RRsets; a type without one is NODATA.
        case records
        /// It is an empty non-terminal: only names below it have records.
        case emptyNonTerminal
        /// SERVFAIL.
        case failure
    }

    /// The ``NameHash`` of the labels above the origin.
    var hash: UInt64
    /// The offset of these labels in the shard's octets.
    var nameOffset: UInt32
    /// The index of its first RRset.
    var firstRRset: UInt32
    /// The octets of the labels.
    var nameByteCount: UInt8
    /// The number of its RRsets.
    var rrsetCount: UInt8
    /// What it answers.
    var kind: Kind
}

/// One RRset: where its packed records are, and its place in the workers' rotation.
struct PackedRRset {
    /// The type of its records.
    var type: RecordType
    /// The octets of each record; 0 if they differ: then the shard's services tell where each record is.
    var stride: UInt16
    /// The number of its records; 1 or more.
    var count: UInt32
    /// The offset of the records for the ANSWER section in the shard's octets.
    var answerOffset: UInt32
    /// The octets of these records.
    var answerByteCount: UInt32
    /// The offset of the records for the ADDITIONAL section in the shard's octets.
    var additionalOffset: UInt32
    /// The octets of these records; 0 if there are none.
    var additionalByteCount: UInt32
    /// The index of an SRV RRset's first entry in the shard's services.
    var firstService: UInt32
    /// The index of its first entry in the shard's weights; ``noWeights`` if it has none there.
    var firstWeight: UInt32
    /// The first of its cells in each worker's ``RotationCells``.
    var firstCell: UInt32
    /// Tells this RRset from an earlier one with the same cells.
    var stamp: UInt32
    /// For an RRset of many records, one more than the index of its ``RecordList`` in the shard; all offsets are
    /// meaningless then. 0: its records are in the shard itself.
    var list: UInt32
    /// The strategy by which it rotates.
    var strategy: RotationStrategyName
    /// Whether it is what is left of an earlier answer.
    var isStale: Bool

    /// The ``firstWeight`` of an RRset whose strategy does not go by weights, or whose list has them.
    static let noWeights = UInt32.max

    /// Its place in the workers' rotation.
    @inline(__always)
    var rotated: RotatedRRset {
        RotatedRRset(count: count, firstCell: firstCell, stamp: stamp, strategy: strategy)
    }
}

/// The places of one SRV record and of its target's address record, relative to their RRset's offsets.
struct ServiceSlot {
    /// The SRV record.
    var answer: UInt32
    /// The address record of its target. It is missing if `additionalByteCount` is 0, as for a target that an earlier
    /// record has too.
    var additional: UInt32
    /// The octets of the address record.
    var additionalByteCount: UInt32
}
