/// Builds one shard: keeps what stays from the previous shard, and adds what is new.
struct ShardBuilder {
    private var names: [NameEntry] = []
    private var rrsets: [PackedRRset] = []
    private var lists: [RecordList] = []
    private var services: [ServiceSlot] = []
    private var weights: [UInt32] = []
    private var octets: [UInt8] = []

    /// Starts empty.
    init() {}

    /// Starts with the contents of `shard`, without the names in `left`.
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
            if let list = shard.ownedList(of: rrset) {
                lists.append(list)
                rrset.list = UInt32(lists.count)
                rrsets.append(rrset)
                continue
            }
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
            if rrset.firstWeight != PackedRRset.noWeights {
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
        for rrset in added { add(rrset) }
    }

    private mutating func add(_ rrset: PackingRRset) {
        var packed = PackedRRset(
            type: rrset.type, stride: rrset.stride, count: UInt32(rrset.count),
            answerOffset: UInt32(octets.count), answerByteCount: UInt32(rrset.answer.count),
            additionalOffset: UInt32(octets.count + rrset.answer.count),
            additionalByteCount: UInt32(rrset.additional.count),
            firstService: UInt32(services.count),
            firstWeight: rrset.weights.isEmpty ? PackedRRset.noWeights : UInt32(weights.count),
            firstCell: rrset.cells.first, stamp: rrset.cells.stamp, list: 0, strategy: rrset.strategy,
            isStale: rrset.isStale)
        if let list = rrset.list {
            let parts = list.view.parts
            packed.answerByteCount = parts.answerByteCount
            packed.additionalByteCount = parts.additionalByteCount
            lists.append(list)
            packed.list = UInt32(lists.count)
        }
        rrsets.append(packed)
        octets += rrset.answer
        octets += rrset.additional
        services += rrset.services
        weights += rrset.weights
    }

    /// The shard.
    consuming func build() -> ZoneShard {
        ZoneShard.make(
            names: names, lists: lists, rrsets: rrsets, services: services, weights: weights, octets: octets)
    }
}

/// One RRset, packed but not yet in a shard.
struct PackingRRset {
    var type: RecordType
    /// The strategy by which it rotates.
    var strategy: RotationStrategyName
    var count = 0
    var answer: [UInt8] = []
    var additional: [UInt8] = []
    var services: [ServiceSlot] = []
    var weights: [UInt32] = []
    /// The list of its records if they are many; then all fields above except type and count are empty.
    var list: RecordList?
    var cells = CellAllocator.Cells(first: 0, stamp: 0)
    /// Whether it is what is left of an earlier answer.
    var isStale = false

    /// An RRset without records.
    init(type: RecordType, strategy: RotationStrategyName) {
        self.type = type
        self.strategy = strategy
    }

    /// An RRset of one packed record, which has nothing to rotate.
    init(type: RecordType, record: [UInt8]) {
        self.type = type
        strategy = .roundRobin
        count = 1
        answer = record
    }

    /// An RRset of all records of a list.
    init(type: RecordType, list: RecordList, strategy: RotationStrategyName) {
        self.type = type
        self.strategy = strategy
        count = Int(list.view.parts.count)
        self.list = list
    }

    /// An RRset that is in a shard.
    init(_ rrset: PackedRRset, in shard: ShardView) {
        self.init(type: rrset.type, strategy: rrset.strategy)
        count = Int(rrset.count)
        isStale = rrset.isStale
        list = shard.ownedList(of: rrset)
        guard list == nil else { return }
        let start = Int(rrset.answerOffset)
        answer = shard.octets.extracting(start..<(start + Int(rrset.answerByteCount))).array
        let additionalStart = Int(rrset.additionalOffset)
        additional =
            shard.octets.extracting(
                additionalStart..<(additionalStart + Int(rrset.additionalByteCount))
            ).array
        if rrset.stride == 0 { services = (0..<count).map { shard.services[Int(rrset.firstService) + $0] } }
        if rrset.firstWeight != PackedRRset.noWeights {
            weights = (0..<count).map { shard.weights[Int(rrset.firstWeight) + $0] }
        }
    }

    /// The octets of each record; 0 if they may differ.
    var stride: UInt16 {
        if let list { return list.view.entry(0).view.parts.stride }
        return !services.isEmpty || count == 0 ? 0 : UInt16(answer.count / count)
    }

    /// Reserves memory for `count` records.
    ///
    /// - Parameter service: the octets of an SRV record.
    mutating func reserveCapacity(_ count: Int, service: Int) {
        guard type == .srv else { return answer.reserveCapacity(count * 28) }
        answer.reserveCapacity(count * service)
        additional.reserveCapacity(count * 28)
        services.reserveCapacity(count)
    }
}
