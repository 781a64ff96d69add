import Testing

@testable import Engine

/// The table of answers by itself, without upstreams.
struct AnswerCacheTests {
    private let now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let policy = TTLPolicy(minimum: 0, maximum: 3600, negativeMaximum: 30, stale: .zero, prefetches: false)

    private func key(_ number: Int, _ type: RecordType = .a, _ variant: AnswerVariant = []) throws -> CacheKey {
        let name = try wireName("name\(number).example.com")
        return CacheKey(name: name.rawSpan, type: type, variant: variant)
    }

    private func insert(_ key: CacheKey, into cache: AnswerCache, code: UInt16 = 0, octets: Int = 16) throws {
        let content = AnswerContent(
            code: code, answerCount: 1, authorityCount: 0, body: [UInt8](repeating: 7, count: octets), ttlOffsets: [6],
            rotation: nil, ttl: 60, isNegative: false)
        let times = policy.times(lifetime: 60, now: now)
        cache.take(try #require(StoredAnswer.make(content, key: key, times: times)))
    }

    private func find(_ key: CacheKey, in cache: AnswerCache) -> StoredAnswer? {
        cache.table.find(key.name.rawSpan, key.type, key.variant, hash: key.hash)
    }

    @Test func `answers are found by name, type and variant, whatever the case`() throws {
        let cache = try AnswerCache(maximumEntries: 100, readerCount: 1)
        try insert(try key(1), into: cache, code: 0)
        try insert(try key(1, .aaaa), into: cache, code: 3)
        try insert(try key(1, .a, .dnssecOK), into: cache, code: 3)
        #expect(find(try key(1), in: cache)?.code == 0)
        #expect(find(try key(1, .aaaa), in: cache)?.code == 3)
        #expect(find(try key(1, .a, .dnssecOK), in: cache)?.code == 3)
        #expect(find(try key(1, .a, .checkingDisabled), in: cache) == nil)
        let upper = try key(1).name.map { $0.isLetterASCII ? $0 ^ 0x20 : $0 }
        let hash = NameHash.hash(upper.rawSpan, type: .a)
        #expect(cache.table.find(upper.rawSpan, .a, [], hash: hash)?.code == 0)
    }

    @Test func `a second answer to a question replaces the first`() throws {
        let cache = try AnswerCache(maximumEntries: 100, readerCount: 1)
        for code: UInt16 in [0, 3] { try insert(try key(1), into: cache, code: code) }
        #expect(find(try key(1), in: cache)?.code == 3)
        #expect(cache.statistics.entries == 1)
    }

    @Test(arguments: [1, 10, 5000])
    func `no more entries are kept than there may be, and the newest is among them`(maximum: Int) throws {
        let cache = try AnswerCache(maximumEntries: maximum, readerCount: 1)
        for number in 0..<(3 * maximum + 20) {
            try insert(try key(number), into: cache)
            #expect(find(try key(number), in: cache) != nil)
            #expect(cache.statistics.entries <= UInt64(maximum))
        }
        #expect(cache.statistics.evictions == UInt64(2 * maximum + 20))
    }

    @Test func `large answers are bound by their octets`() throws {
        let cache = try AnswerCache(maximumEntries: 100, readerCount: 1)
        for number in 0..<100 {
            try insert(try key(number), into: cache, octets: 20_000)
            #expect(cache.statistics.bytes <= UInt64(100 * AnswerCache.bytesPerEntry))
        }
        #expect(cache.statistics.entries == 5)
    }

    @Test func `without room nothing is kept`() throws {
        let cache = try AnswerCache(maximumEntries: 0, readerCount: 1)
        try insert(try key(1), into: cache)
        #expect(find(try key(1), in: cache) == nil)
        #expect(cache.statistics == CacheStatistics())
    }

    @Test func `100,000 answers with an address take at most 400 octets each`() throws {
        let cache = try AnswerCache(maximumEntries: 100_000, readerCount: 1)
        for number in 0..<100_000 { try insert(try key(number), into: cache) }
        #expect(cache.statistics.entries == 100_000)
        // The table and the order of eviction need more beside the entries: 2 × 8, 8 and 8 octets for each.
        #expect(cache.statistics.bytes / 100_000 + 32 <= 400)
    }

    @Test func `what a reader has found stays until it ends, whatever is written meanwhile`() throws {
        let cache = try AnswerCache(maximumEntries: 10, readerCount: 2)
        try insert(try key(1), into: cache, code: 3)
        let (wanted, others) = (try key(1), try (0..<1000).map { try key($0) })
        var reader = CacheReader(cache, number: 0)
        let isSame = reader.read { reading in
            let answer = reading.find(wanted.name.rawSpan, wanted.type, wanted.variant, hash: wanted.hash)
            guard let answer else { return false }
            _ = cache.remove(nil, subtree: false)
            for other in others { try? insert(other, into: cache) }
            #expect(cache.epochs.horizon() != .max)
            return answer.code == 3 && answer.name.array == wanted.name
        }
        #expect(isSame)
        #expect(cache.epochs.horizon() == .max)
    }

    @Test(arguments: [(0, true), (10, false), (10, true)])
    func `what is inserted is shown to the end, kept or not`(maximum: Int, isKept: Bool) throws {
        let cache = try AnswerCache(maximumEntries: maximum, readerCount: 1)
        let (wanted, others) = (try key(1), try (0..<1000).map { try key($0) })
        // The body is as long as those of the other answers, which would get its memory if it were freed.
        let body = [UInt8](1...16)
        let content = AnswerContent(
            code: 3, answerCount: 0, authorityCount: 0, body: body, ttlOffsets: [6], rotation: nil, ttl: 60,
            isNegative: true)
        var reader = CacheReader(cache, number: 0)
        let isShown = reader.insert(
            content, key: wanted, times: policy.times(lifetime: 60, now: now), isKept: isKept
        ) { answer in
            #expect((find(wanted, in: cache) != nil) == (isKept && maximum > 0))
            _ = cache.remove(nil, subtree: false)
            for other in others { try? insert(other, into: cache) }
            let isSame = answer.code == 3 && answer.name.array == wanted.name && answer.body.array == body
            #expect(isSame)
        }
        #expect(isShown)
    }

    @Test func `names are removed one by one, by subtree, or all`() throws {
        let cache = try AnswerCache(maximumEntries: 5000, readerCount: 1)
        for number in 0..<2000 { try insert(try key(number), into: cache) }
        #expect(cache.remove(try wireName("name7.example.com"), subtree: false) == 1)
        #expect(find(try key(7), in: cache) == nil)
        #expect(find(try key(8), in: cache) != nil)
        #expect(cache.remove(try wireName("e.example.com"), subtree: true) == 0)
        #expect(cache.remove(try wireName("name8.example.com"), subtree: true) == 1)
        #expect(cache.remove(try wireName("com"), subtree: true) == 1998)
        #expect(cache.statistics.entries == 0)
    }

    @Test func `an answer in demand is asked for again by one client, or another if nothing comes of that`() throws {
        let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
        let times = AnswerTimes(expiry: start + .seconds(10), refresh: start, end: start + .seconds(10), lifetime: 10)
        let content = AnswerContent(
            code: 0, answerCount: 0, authorityCount: 0, body: [], ttlOffsets: [], rotation: nil, ttl: 10,
            isNegative: false)
        let answer = try #require(StoredAnswer.make(content, key: try key(1), times: times))
        defer { answer.free() }
        #expect(!answer.claimRefresh(now: MonotonicTime(nanoseconds: start.nanoseconds - 1)))
        for round in 0..<3 {
            let now = start + StoredAnswer.refreshLease * Int64(round)
            #expect(answer.claimRefresh(now: now))
            #expect(!answer.claimRefresh(now: now) && !answer.claimRefresh(now: now + .milliseconds(1999)))
        }
    }
}
