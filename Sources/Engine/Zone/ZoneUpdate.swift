/// The changes of the zones: the only message that the control plane sends through the door.
///
/// It has plain values only: names with their records, but no services and no packed octets.
public struct ZoneUpdate: Sendable {
    /// The SOA serial from now on, for example the Unix time in seconds; it must not go back (RFC 1982). The first zone
    /// always gets it, the others when something changes in them.
    public var serial: UInt32
    /// The changes of names. A name listed twice changes twice, in that order.
    public var changes: [NameChange]

    /// Takes a value for each property.
    public init(serial: UInt32, changes: [NameChange]) {
        self.serial = serial
        self.changes = changes
    }
}

/// The new content of one name.
public struct NameChange: Sendable {
    /// The zone that it is in: an index into ``EngineConfiguration/zones``.
    public var zone: Int
    /// The name relative to the zone's origin, in lower case without a trailing dot: `orders`, `_orders._tcp`.
    public var name: String
    /// What it answers.
    public var content: NameContent
    /// How the first record of its answers is chosen; `nil`: as ``EngineConfiguration/strategy`` says. With
    /// ``NameContent/changed(_:)`` an RRset that gets another strategy must be given as a whole.
    public var strategy: RotationStrategyName?
    /// Whether the RRsets given here are what is left of an earlier answer: clients with EDNS are told (RFC 8914 §4.4,
    /// Stale Answer).
    public var isStale: Bool

    /// Takes a value for each property.
    public init(
        zone: Int = 0, name: String, content: NameContent, strategy: RotationStrategyName? = nil,
        isStale: Bool = false
    ) {
        self.zone = zone
        self.name = name
        self.content = content
        self.strategy = strategy
        self.isStale = isStale
    }
}

/// The content of a name.
public enum NameContent: Hashable, Sendable {
    /// The name does not exist: NXDOMAIN, unless there are names below it (an empty non-terminal, RFC 8020).
    case absent
    /// The name exists with these RRsets, one for each type. A type without one is NODATA; with an empty list, every
    /// type is.
    case records([RRset])
    /// The content is unknown at present: SERVFAIL.
    case failure
    /// The name exists, and some of its RRsets change; the others stay. It is for RRsets with many records, of which
    /// few change at a time.
    case changed([RRsetChange])
}

/// The change of an RRset whose records are ordered by sequence numbers. It costs what changes.
public struct RRsetChange: Hashable, Sendable {
    /// The type of all its records.
    public var type: RecordType
    /// The TTL in seconds from now on; 1 or more.
    public var ttl: UInt32
    /// The divisor of SRV records' weights in answers; 1 or more.
    public var weightDivisor: UInt16
    /// Whether all present records are removed before those below are added. An RRset that was given as
    /// ``NameContent/records(_:)``, or that does not exist, can only change this way.
    public var isWhole: Bool
    /// The records that change, in ascending order of their sequence numbers, each once. An RRset without records is
    /// removed.
    public var records: [RecordChange]

    /// Takes a value for each property.
    public init(
        type: RecordType, ttl: UInt32, weightDivisor: UInt16 = 1, isWhole: Bool = false, records: [RecordChange]
    ) {
        self.type = type
        self.ttl = ttl
        self.weightDivisor = weightDivisor
        self.isWhole = isWhole
        self.records = records
    }
}

/// The change of one record.
public struct RecordChange: Hashable, Sendable {
    /// The record's place: any number that no other record of its RRset has.
    public var sequence: UInt64
    /// The record at this place from now on; `nil`: none.
    public var record: Record?
    /// For an SRV record: whether it puts its target's address into ADDITIONAL. Of records with the same target, only
    /// the first one does.
    public var hasAdditional: Bool

    /// Takes a value for each property.
    public init(sequence: UInt64, record: Record?, hasAdditional: Bool = true) {
        self.sequence = sequence
        self.record = record
        self.hasAdditional = hasAdditional
    }
}

/// The records of one name and type (RFC 2181 §5), in the order of rotation.
public struct RRset: Hashable, Sendable {
    /// The type of all its records.
    public var type: RecordType
    /// The TTL in seconds; 1 or more.
    public var ttl: UInt32
    /// The records; not empty, no two with the same data.
    public var records: [Record]

    /// Takes a value for each property.
    public init(type: RecordType, ttl: UInt32, records: [Record]) {
        self.type = type
        self.ttl = ttl
        self.records = records
    }
}

/// One record of an RRset.
public struct Record: Hashable, Sendable {
    /// The record's data; must fit the RRset's type.
    public var data: RecordData
    /// Its share of first places under ``RotationStrategyName/weighted``; a record of weight 0 comes first only if all
    /// are 0.
    public var weight: UInt32

    /// Takes a value for each property.
    public init(_ data: RecordData, weight: UInt32 = 1) {
        self.data = data
        self.weight = weight
    }
}

/// The data of a record.
public enum RecordData: Hashable, Sendable {
    /// The address of an A or AAAA record.
    case address(IPAddress)
    /// An SRV record (RFC 2782). Its target is the synthesized name of `target` (`<hex>.addr.<origin>`).
    case service(priority: UInt16, weight: UInt16, port: UInt16, target: IPAddress)
    /// The name in a PTR record, in presentation form.
    case name(String)
}
