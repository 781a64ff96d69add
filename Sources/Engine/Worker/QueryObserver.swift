/// Chooses what a worker puts into its ``QueryJournal``, its ``QueryHistograms`` and the query log. It is told of whole
/// batches, so that a query costs it nothing.
///
/// Each of the first 256 queries in a second is counted, and after that one in about 64, which stands for those before
/// it. The intervals are random, since clients that ask in a fixed order must not always be met at the same question.
/// Which queries are logged is decided on its own, by the share that was set.
struct QueryObserver {
    /// How many queries in a second are counted one by one.
    private static let denseSamples = 256
    /// Beyond that, one query is counted of so many on average.
    static let interval = 64
    /// How many failures are noted in a second.
    private static let failuresPerSecond = 64

    let journal = QueryJournal()
    let histograms = QueryHistograms()
    /// Queries since the last one that was counted, that one not included.
    private var uncounted: UInt64 = 0
    /// Queries until one is looked at.
    private var left = 0
    private var samplesLeft = Self.denseSamples
    private var failuresLeft = Self.failuresPerSecond
    /// Failures that were left out, and how often; the journal has not been told of them.
    private var skipped: (failures: UInt64, times: UInt64) = (0, 0)
    private var secondEnd = MonotonicTime.distantPast
    /// NXDOMAIN, SERVFAIL and REFUSED that the counters had when they were last looked at.
    private var knownFailures: UInt64 = 0
    private var random = UInt64.random(in: 1...UInt64.max)
    /// Queries until one is logged.
    private var leftToLogged = Int.max
    private var logInterval: SampleInterval?
    /// Where those go that are logged.
    private(set) var ring: QueryRing?

    /// Has other queries logged from now on.
    mutating func adopt(_ settings: QueryLogSettings) {
        logInterval = settings.interval
        ring = settings.ring
        leftToLogged = nextLogged()
    }

    /// Whether one of the next queries is looked at: then it must be known when they arrived.
    @inline(__always)
    func isDue(_ count: Int) -> Bool { left <= count || leftToLogged <= count }

    /// Notes a batch that was answered, whose queries and replies are still there.
    ///
    /// - Parameter count: the number of its queries.
    /// - Returns: the queries whose answers are to be looked at.
    @inline(__always)
    mutating func note(_ batch: UDPBatch, _ count: Int, _ counters: WorkerCounters) -> SampledPlaces {
        uncounted &+= UInt64(truncatingIfNeeded: count)
        left &-= count
        leftToLogged &-= count
        let failures = counters.failureSum
        if failures != knownFailures { noteFailures(batch, failures) }
        return left <= 0 || leftToLogged <= 0 ? choose(batch, count) : SampledPlaces()
    }

    /// Notes a query that came over TCP; `reply` is what it got, if anything.
    ///
    /// - Returns: place 0 if its answer is to be looked at.
    mutating func note(_ query: RawSpan, _ reply: RawSpan?, from client: IPAddress?) -> SampledPlaces {
        uncounted &+= 1
        left &-= 1
        leftToLogged &-= 1
        var places = SampledPlaces()
        if left <= 0 {
            let now = MonotonicTime.now
            renew(now)
            count(query, now)
            places.timed = 1
        }
        if leftToLogged <= 0 {
            leftToLogged = nextLogged()
            places.logged = 1
        }
        noteFailure(query, reply, from: client)
        return places
    }

    /// Notes a query that was not answered at once; `reply` is what it got, if anything.
    mutating func noteFailure(_ query: RawSpan, _ reply: RawSpan?, from client: IPAddress?) {
        guard let reply, let code = Self.failure(in: reply) else { return }
        // The counters have it too.
        knownFailures &+= 1
        let now = MonotonicTime.now
        renew(now)
        note(code, query, from: client, now)
    }

    // MARK: Samples

    @inline(never)
    private mutating func choose(_ batch: UDPBatch, _ count: Int) -> SampledPlaces {
        var places = SampledPlaces()
        if left <= 0 { places.timed = sample(batch, count) }
        while leftToLogged <= 0 {
            let place = count &- 1 &+ leftToLogged
            if place >= 0 { places.logged |= 1 << UInt64(place) }
            leftToLogged &+= nextLogged()
        }
        return places
    }

    /// - Returns: the places of those that were counted.
    private mutating func sample(_ batch: UDPBatch, _ count: Int) -> UInt64 {
        let now = MonotonicTime.now
        renew(now)
        guard samplesLeft >= count else {
            let place = Int(truncatingIfNeeded: next() >> 33) % max(count, 1)
            self.count(batch.message(place), now)
            return 1 << UInt64(place)
        }
        uncounted &-= UInt64(truncatingIfNeeded: count)
        for index in 0..<count {
            uncounted &+= 1
            self.count(batch.message(index), now)
        }
        return .max >> UInt64(64 &- count)
    }

    /// Queries from one that is logged to the next.
    private mutating func nextLogged() -> Int {
        let random = next()
        return logInterval?.next(random: random) ?? .max
    }

    private mutating func count(_ query: RawSpan, _ now: MonotonicTime) {
        if samplesLeft > 0 { samplesLeft &-= 1 }
        left = samplesLeft > 0 ? 1 : 1 &+ Int(truncatingIfNeeded: next() >> 33) % (2 &* Self.interval &- 1)
        guard let header = MessageHeader(query), !header.isResponse, let question = Question(query) else { return }
        let name = question.name(in: query)
        let hash = NameHash.hash(name, type: question.type)
        if journal.count(name, type: question.type.rawValue, hash: hash, weight: uncounted, now: now) { uncounted = 0 }
    }

    private mutating func renew(_ now: MonotonicTime) {
        guard now >= secondEnd else { return }
        secondEnd = now + .seconds(1)
        samplesLeft = Self.denseSamples
        failuresLeft = Self.failuresPerSecond
        guard skipped.failures > 0 else { return }
        journal.noteSkipped(skipped.failures)
        skipped = (0, 0)
    }

    private mutating func next() -> UInt64 {
        random ^= random >> 12
        random ^= random << 25
        random ^= random >> 27
        return random &* 0x2545_F491_4F6C_DD1D
    }

    // MARK: Failures

    @inline(never)
    private mutating func noteFailures(_ batch: UDPBatch, _ failures: UInt64) {
        let difference = failures &- knownFailures
        knownFailures = failures
        if failuresLeft == 0 {
            skipped.failures &+= difference
            skipped.times &+= 1
            // Looking at the clock costs as much as all the rest here.
            guard skipped.times & 15 == 0 else { return }
        }
        let now = MonotonicTime.now
        renew(now)
        guard failuresLeft > 0 else { return }
        for slot in 0..<batch.replyCount {
            guard let code = Self.failure(in: batch.reply(slot)), let place = batch.place(ofReply: slot) else {
                continue
            }
            note(code, batch.message(place), from: batch.client(place), now)
        }
    }

    private mutating func note(
        _ code: FailedQuery.Code, _ query: RawSpan, from client: IPAddress?, _ now: MonotonicTime
    ) {
        guard failuresLeft > 0 else {
            skipped.failures &+= 1
            return
        }
        guard let question = Question(query) else { return }
        failuresLeft &-= 1
        let name = question.name(in: query)
        journal.note(
            code, name, question.type.rawValue, NameHash.hash(name, type: question.type), from: client?.unmapped,
            now: now)
    }

    /// Whether a reply is a failure that is noted.
    @inline(__always)
    static func isNoted(_ reply: RawSpan) -> Bool { failure(in: reply) != nil }

    /// The response code of a reply, if it is one that is noted.
    private static func failure(in reply: RawSpan) -> FailedQuery.Code? {
        FailedQuery.Code(rawValue: (reply.octet(at: HeaderOffset.flags &+ 1) ?? 0) & 0xF)
    }
}

extension WorkerCounters {
    /// Replies with a code that is noted.
    @inline(__always)
    fileprivate var failureSum: UInt64 {
        value(of: .nameErrors) &+ value(of: .serverFailures) &+ value(of: .refused)
    }
}
