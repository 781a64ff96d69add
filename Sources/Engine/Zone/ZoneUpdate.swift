/// What changes in the zones: the one message that the control plane sends through the door.
///
/// Plain values only: names with their records, no services and no packed octets.
public struct ZoneUpdate: Sendable {
    /// The SOA serial from now on, e.g. the Unix time in seconds; must not go back (RFC 1982). The first zone has it in
    /// any case, others when something changes in them.
    public var serial: UInt32
    /// The names that change. A name listed twice changes twice, in that order.
    public var changes: [NameChange]

    /// Joins the parts.
    public init(serial: UInt32, changes: [NameChange]) {
        self.serial = serial
        self.changes = changes
    }
}

/// One name and all that it answers from now on.
public struct NameChange: Sendable {
    /// Which zone it is in: its place in ``EngineConfiguration/zones``.
    public var zone: Int
    /// The name relative to the zone's origin, in lower case without a trailing dot: `orders`, `_orders._tcp`.
    public var name: String
    /// What it answers.
    public var content: NameContent

    /// Joins the parts.
    public init(zone: Int = 0, name: String, content: NameContent) {
        self.zone = zone
        self.name = name
        self.content = content
    }
}

/// What a name answers.
public enum NameContent: Hashable, Sendable {
    /// The name does not exist: NXDOMAIN, unless there is a name below it (an empty non-terminal, RFC 8020).
    case absent
    /// The name exists with these RRsets, one for each type; other types, or all with an empty list, are NODATA.
    case records([RRset])
    /// Nobody can tell now: SERVFAIL.
    case failure
    /// The name exists, and some of its RRsets change; others stay as they are. For RRsets of many records of which
    /// few change at a time.
    case changed([RRsetChange])
}

/// What changes in an RRset whose records have sequence numbers: it is in their order, and costs what changes.
public struct RRsetChange: Hashable, Sendable {
    /// The type of all its records.
    public var type: RecordType
    /// The TTL in seconds from now on; 1 or more.
    public var ttl: UInt32
    /// What the weights of SRV records are divided by in answers; 1 or more.
    public var weightDivisor: UInt16
    /// Whether all records that there are go before those below come. An RRset that was given as
    /// ``NameContent/records(_:)``, or that is not there, can change in no other way.
    public var isWhole: Bool
    /// The records that change, in ascending order of their sequence numbers, each once. An RRset without any record
    /// left is gone.
    public var records: [RecordChange]

    /// Joins the parts.
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

/// What becomes of one record.
public struct RecordChange: Hashable, Sendable {
    /// The record's place: any number, one for each record of its RRset.
    public var sequence: UInt64
    /// The record that is in this place from now on; `nil`: none any longer.
    public var record: Record?
    /// Of an SRV record: whether ADDITIONAL has its target's address because of it. Of records that share a target the
    /// first one has it.
    public var hasAdditional: Bool

    /// Joins the parts.
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

    /// Joins the parts.
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
    /// have 0.
    public var weight: UInt32

    /// Joins the parts.
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
    /// The name that a PTR record tells, in presentation form.
    case name(String)
}
