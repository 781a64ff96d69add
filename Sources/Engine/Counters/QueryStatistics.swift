/// What clients have asked, over all workers: the questions asked most, and the newest ones that failed.
public struct QueryStatistics: Sendable {
    /// How long ago the count began.
    public private(set) var age = Duration.zero
    /// How many queries were asked since.
    public private(set) var queries: UInt64 = 0
    /// How many of them were looked at; each stands for those before it.
    public private(set) var samples: UInt64 = 0
    /// How many failures were not noted since the start, because there were too many within a second.
    public private(set) var skippedFailures: UInt64 = 0
    /// The newest failures of each code, the newest first.
    public private(set) var failures: [FailedQuery] = []
    private var counts: [Key: UInt64] = [:]

    private struct Key: Hashable, Sendable {
        var name: [UInt8]
        var type: UInt16
    }

    /// A name with the number of queries for it.
    public struct AskedName: Sendable {
        /// In wire form and lower case.
        public var name: [UInt8]
        /// How many queries for it were counted; there may have been more.
        public var queries: UInt64
        /// The same by type, the most first.
        public var types: [(type: UInt16, queries: UInt64)]
    }

    init() {}

    /// The names asked most, the most first.
    ///
    /// - Parameter limit: how many at most.
    public func names(limit: Int) -> [AskedName] {
        var names: [[UInt8]: AskedName] = [:]
        for (key, count) in counts {
            names[key.name, default: AskedName(name: key.name, queries: 0, types: [])].queries &+= count
            names[key.name]?.types.append((key.type, count))
        }
        let sorted = names.values.sorted {
            $0.queries != $1.queries ? $0.queries > $1.queries : $0.name.lexicographicallyPrecedes($1.name)
        }
        return sorted.prefix(limit).map { name in
            var name = name
            name.types.sort { $0.queries != $1.queries ? $0.queries > $1.queries : $0.type < $1.type }
            return name
        }
    }

    /// Adds what one worker's clients have asked.
    mutating func add(_ copy: QueryJournal.Copy, age: Duration) {
        self.age = max(self.age, age)
        queries &+= copy.queries
        samples &+= copy.samples
        skippedFailures &+= copy.skipped
        for name in copy.names { counts[Key(name: name.octets, type: name.type), default: 0] &+= name.count }
        failures += copy.failures
        failures.sort { $0.age < $1.age }
    }
}

/// A question that was answered NXDOMAIN, SERVFAIL or REFUSED.
public struct FailedQuery: Sendable {
    /// The response codes that are noted (RFC 1035 §4.1.1).
    public enum Code: UInt8, CaseIterable, Sendable {
        case serverFailure = 2
        case nameError = 3
        case refused = 5
    }

    /// The response code.
    public var code: Code
    /// The name in wire form and lower case.
    public var name: [UInt8]
    /// The type's number.
    public var type: UInt16
    /// Who asked.
    public var client: IPAddress?
    /// How often the client was noted with this question.
    public var count: UInt64
    /// How long ago it was the last time.
    public var age: Duration
}
