/// Builds one shard: takes over what stays from the shard before, and adds what is new.
struct ShardBuilder {
    private var names: [NameEntry] = []
    private var rrsets: [PackedRRset] = []
    private var services: [ServiceSlot] = []
    private var weights: [UInt32] = []
    private var octets: [UInt8] = []

    /// Starts with nothing.
    init() {}

    /// Starts from what `shard` holds, without the names in `left`.
    init(_ shard: ShardView, without left: [[UInt8]]) {
        octets.reserveCapacity(shard.octets.byteCount + 1024)
        names.reserveCapacity(shard.names.count + 4)
        rrsets.reserveCapacity(shard.rrsets.count + 8)
        for index in shard.names.indices {
            let entry = shard.names[index]
            let start = Int(entry.nameOffset)
            let name = shard.octets.extracting(start..<(start + Int(entry.nameByteCount)))
            if !left.contains(where: { $0.rawSpan.hasSameOctets(as: name) }) {
                copy(entry, named: name, from: shard)
            }
        }
    }

    private mutating func copy(_ entry: NameEntry, named name: RawSpan, from shard: ShardView) {
        var copy = entry
        copy.nameOffset = UInt32(octets.count)
        copy.firstRRset = UInt32(rrsets.count)
        octets.append(octets: name)
        for index in 0..<Int(entry.rrsetCount) {
            var rrset = shard.rrsets[Int(entry.firstRRset) + index]
            let answer = Int(rrset.answerOffset)
            let additional = Int(rrset.additionalOffset)
            let count = Int(rrset.count)
            rrset.answerOffset = UInt32(octets.count)
            octets.append(octets: shard.octets.extracting(answer..<(answer + Int(rrset.answerByteCount))))
            rrset.additionalOffset = UInt32(octets.count)
            octets.append(
                octets: shard.octets.extracting(additional..<(additional + Int(rrset.additionalByteCount))))
            if rrset.stride == 0 {
                let first = Int(rrset.firstService)
                rrset.firstService = UInt32(services.count)
                for slot in first..<(first + count) { services.append(shard.services[slot]) }
            }
            if !shard.weights.isEmpty {
                let first = Int(rrset.firstWeight)
                rrset.firstWeight = UInt32(weights.count)
                for weight in first..<(first + count) { weights.append(shard.weights[weight]) }
            }
            rrsets.append(rrset)
        }
        names.append(copy)
    }

    /// Adds a name with packed RRsets.
    mutating func add(
        _ name: [UInt8], hash: UInt64, kind: NameEntry.Kind, rrsets added: [PackingRRset]
    ) {
        names.append(
            NameEntry(
                hash: hash, nameOffset: UInt32(octets.count), firstRRset: UInt32(rrsets.count),
                nameByteCount: UInt8(name.count), rrsetCount: UInt8(added.count), kind: kind))
        octets += name
        for rrset in added {
            rrsets.append(
                PackedRRset(
                    type: rrset.type, stride: rrset.stride, count: UInt32(rrset.count),
                    answerOffset: UInt32(octets.count), answerByteCount: UInt32(rrset.answer.count),
                    additionalOffset: UInt32(octets.count + rrset.answer.count),
                    additionalByteCount: UInt32(rrset.additional.count),
                    firstService: UInt32(services.count), firstWeight: UInt32(weights.count),
                    firstCell: rrset.cells.first, stamp: rrset.cells.stamp))
            octets += rrset.answer
            octets += rrset.additional
            services += rrset.services
            weights += rrset.weights
        }
    }

    /// The shard.
    consuming func build() -> ZoneShard {
        ZoneShard.make(
            names: names, rrsets: rrsets, services: services, weights: weights, octets: octets)
    }
}

/// One RRset, packed but not yet in a shard.
struct PackingRRset {
    var type: RecordType
    var stride: UInt16
    var count: Int
    var answer: [UInt8]
    var additional: [UInt8] = []
    var services: [ServiceSlot] = []
    var weights: [UInt32] = []
    var cells = CellAllocator.Cells(first: 0, stamp: 0)
}
