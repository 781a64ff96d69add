import Testing

@testable import Engine

/// The decisions of the cache: order of eviction, times, deadlines. Pure, without a clock.
struct CachePolicyTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let policy = TTLPolicy(
        minimum: 0, maximum: 3600, negativeMaximum: 30, stale: .seconds(3600), prefetches: true)

    // MARK: Eviction

    /// A cache of numbers with SIEVE eviction.
    private struct Sieve {
        var order = SieveList()
        var slots: [Int: UInt32] = [:]
        var names: [UInt32: Int] = [:]
        var asked: Set<UInt32> = []
        var free: [UInt32]

        init(capacity: UInt32) {
            free = (0..<capacity).reversed()
        }

        /// - Returns: whether the number was in the cache.
        mutating func ask(_ name: Int) -> Bool {
            if let slot = slots[name] {
                asked.insert(slot)
                return true
            }
            if free.isEmpty {
                var asked = asked
                if let victim = order.evict(sparing: .max, wasVisited: { asked.remove($0) != nil }) {
                    slots[names[victim] ?? -1] = nil
                    free.append(victim)
                }
                self.asked = asked
            }
            guard let slot = free.popLast() else { return false }
            slots[name] = slot
            names[slot] = name
            order.insert(slot)
            return false
        }
    }

    @Test func `a scan of random names does not flush the hot set`() {
        var sieve = Sieve(capacity: 1000)
        for _ in 0..<2 { for hot in 0..<500 { _ = sieve.ask(hot) } }
        var hits = 0
        for scanned in 0..<100_000 {
            _ = sieve.ask(1_000_000 + scanned)
            if scanned % 10 == 0 { hits += sieve.ask(scanned / 10 % 500) ? 1 : 0 }
        }
        // LRU would have lost each of them, because 5,000 scanned names come between two questions for the same name.
        #expect(hits > 9900, "\(hits) of 10,000")
    }

    @Test func `the order of eviction holds whatever comes and goes`() {
        var random = SeededRandom(11)
        var order = SieveList()
        var present: Set<UInt32> = []
        for _ in 0..<20_000 {
            let slot = UInt32.random(in: 0..<50, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0 where !present.contains(slot):
                order.insert(slot)
                present.insert(slot)
            case 1 where present.contains(slot):
                order.remove(slot)
                present.remove(slot)
            case 2:
                let victim = order.evict(sparing: slot) { $0 % 3 == 0 }
                #expect(victim != slot)
                #expect((victim == nil) == present.subtracting([slot]).isEmpty)
                if let victim { #expect(present.remove(victim) != nil) }
            default: break
            }
            #expect(order.count == present.count)
        }
    }

    // MARK: Times

    @Test func `lifetimes are capped on both sides, negative ones again`() {
        var policy = policy
        policy.minimum = 5
        policy.maximum = 100
        #expect([0, 5, 50, 100, 1000].map { policy.lifetime(of: $0, isNegative: false) } == [5, 5, 50, 100, 100])
        #expect([0, 5, 50, 1000].map { policy.lifetime(of: $0, isNegative: true) } == [5, 5, 30, 30])
        #expect(TTLPolicy.read(0x8000_0000) == 0 && TTLPolicy.read(0x7FFF_FFFF) == 0x7FFF_FFFF)
    }

    @Test func `TTLs count down to 1, never below, and a stale answer has 30`() {
        let times = policy.times(lifetime: 60, now: start)
        #expect(times.remainingTTL(now: start) == 60)
        #expect(times.remainingTTL(now: start + .milliseconds(1)) == 59)
        #expect(times.remainingTTL(now: start + .milliseconds(58_500)) == 1)
        #expect(times.remainingTTL(now: start + .milliseconds(59_999)) == 1)
        #expect(times.remainingTTL(now: start + .seconds(60)) == 30)
        #expect(times.end == start + .seconds(3660))
    }

    @Test func `an answer is renewed in the last tenth of its life, a short one not at all`() {
        #expect(policy.times(lifetime: 100, now: start).refresh == start + .seconds(90))
        #expect(policy.times(lifetime: 2, now: start).refresh == start + .seconds(1))
        #expect(policy.times(lifetime: 1, now: start).refresh == start + .seconds(1))
        var without = policy
        without.prefetches = false
        #expect(without.times(lifetime: 100, now: start).refresh == start + .seconds(100))
    }

    @Test func `failures are remembered for a while, and no more than there may be`() {
        var table = FailureCache.Table()
        func key(_ number: Int) -> CacheKey {
            CacheKey(name: [1, UInt8(number & 255), 1, UInt8(number >> 8 & 255), 0].rawSpan, type: .a, variant: [])
        }
        table.insert(key(0), now: start)
        #expect(table.recency(of: key(0), now: start + .milliseconds(999)) == .fresh)
        #expect(table.recency(of: key(0), now: start + .seconds(1)) == .remembered)
        #expect(table.recency(of: key(0), now: start + .seconds(30)) == .none)
        #expect(table.recency(of: key(1), now: start) == .none)
        for number in 1...20_000 { table.insert(key(number), now: start + .milliseconds(Int64(number))) }
        #expect(table.count <= FailureCache.maximumCount)
        #expect(table.recency(of: key(20_000), now: start + .seconds(20)) == .fresh)
    }

    @Test func `a repeated failure counts as new when entries are evicted to make room`() {
        var table = FailureCache.Table()
        func key(_ number: Int) -> CacheKey {
            let digits = (0..<4).map { UInt8(number >> (4 * $0) & 15) }
            return CacheKey(name: ([4] + digits + [0]).rawSpan, type: .a, variant: [])
        }
        table.insert(key(0), now: start)
        for number in 1..<1000 { table.insert(key(number), now: start) }
        table.insert(key(0), now: start + .milliseconds(1))
        for number in 1000..<FailureCache.maximumCount { table.insert(key(number), now: start + .milliseconds(1)) }
        #expect(table.count == FailureCache.maximumCount)
        // The oldest entry is evicted. The repeated failure came first, but it is no longer the oldest.
        table.insert(key(30_000), now: start + .milliseconds(2))
        #expect(table.recency(of: key(0), now: start + .milliseconds(2)) == .fresh)
        #expect(table.recency(of: key(1), now: start + .milliseconds(2)) == .none)
        #expect(table.count == FailureCache.maximumCount)
    }
}

/// The limit on how much is read of long answers.
struct LongAnswerBudgetTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    @Test func `usual answers are not counted, long ones wait above the rate, and not beyond their deadline`() throws {
        var budget = LongAnswerBudget()
        func reserve(_ byteCount: Int, within milliseconds: Int64 = 1500) -> Nanoseconds? {
            budget.reserve(byteCount, now: start, deadline: start + .milliseconds(milliseconds))
        }
        let usual = LongAnswerBudget.usualByteCount
        for _ in 0..<1000 { #expect(reserve(usual) == .zero) }
        #expect(reserve(65_535) == .zero)
        #expect(reserve(usual) == .zero)
        let wait = try #require(reserve(65_535))
        #expect((Nanoseconds.milliseconds(700)...Nanoseconds.seconds(1)).contains(wait))
        // A third answer would come too late, and reserves nothing.
        for _ in 0..<100 { #expect(reserve(65_535) == nil) }
        let next = try #require(reserve(5000, within: 10_000))
        #expect(next <= .seconds(2))
    }

    @Test func `over ten seconds about as much is read as the rate allows`() {
        var budget = LongAnswerBudget()
        var read = 0
        var now = start
        while now < start + .seconds(10) {
            if budget.reserve(20_000, now: now, deadline: now + .milliseconds(1)) != nil { read += 20_000 }
            now = now + .milliseconds(1)
        }
        #expect(read <= 10 * Int(LongAnswerBudget.rate) + 40_000)
        #expect(read >= 9 * Int(LongAnswerBudget.rate))
    }
}
