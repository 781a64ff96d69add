/// One name of a shard.
struct NameEntry {
    /// What a name answers, apart from its RRsets.
    enum Kind: UInt8 {
        /// It has RRsets, or none and every type is NODATA.
        case records
        /// It is an empty non-terminal: only names below it have records.
        case emptyNonTerminal
        /// SERVFAIL.
        case failure
    }

    /// The ``NameHash`` of the labels above the origin.
    var hash: UInt64
    /// Where these labels are in the shard's octets.
    var nameOffset: UInt32
    /// Its first RRset.
    var firstRRset: UInt32
    /// How many octets the labels have.
    var nameByteCount: UInt8
    /// How many RRsets it has.
    var rrsetCount: UInt8
    /// What it answers.
    var kind: Kind
}

/// One RRset: where its packed records are, and its place in the workers' rotation.
struct PackedRRset {
    /// The type of its records.
    var type: RecordType
    /// Octets of each record; 0 when they differ, and the shard's services tell where each is.
    var stride: UInt16
    /// How many records it has; 1 or more.
    var count: UInt32
    /// Where the records for the ANSWER section are in the shard's octets.
    var answerOffset: UInt32
    /// How many octets they have.
    var answerByteCount: UInt32
    /// Where the records for the ADDITIONAL section are in the shard's octets.
    var additionalOffset: UInt32
    /// How many octets they have; 0 when there are none.
    var additionalByteCount: UInt32
    /// An SRV RRset's first entry in the shard's services.
    var firstService: UInt32
    /// Its first entry in the shard's weights, where answers are weighted.
    var firstWeight: UInt32
    /// The first of its cells in each worker's ``RotationCells``.
    var firstCell: UInt32
    /// Tells this RRset from one that had the same cells before.
    var stamp: UInt32
    /// Where its records are when they are many: one more than the number of its ``RecordList`` in the shard, and all
    /// offsets are without meaning. 0: they are in the shard itself.
    var list: UInt32

    /// Its place in the workers' rotation.
    @inline(__always)
    var rotated: RotatedRRset { RotatedRRset(count: count, firstCell: firstCell, stamp: stamp) }
}

/// Where one SRV record and its target's address record are, relative to their RRset's offsets.
struct ServiceSlot {
    /// The SRV record.
    var answer: UInt32
    /// The address record of its target; not there when `additionalByteCount` is 0, as for a target that an
    /// earlier record has too.
    var additional: UInt32
    /// Octets of the address record.
    var additionalByteCount: UInt32
}
