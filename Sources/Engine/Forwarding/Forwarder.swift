/// A worker's side of querying upstreams: the questions under way, the clients that wait for them, and the deadlines.
///
/// A question is asked only once, however many clients wait for it. The first upstream gets as long as it usually
/// takes, then another one is asked too, and so on; the first answer counts. At the deadline clients get an expired
/// answer, if there is one, or SERVFAIL.
final class Forwarder {
    /// How many clients may wait for the same question; more are answered SERVFAIL.
    static let maximumClients = 4096

    /// How many due calls are made in a row, so that nothing else has to wait for all of them.
    private static let callsAtOnce = 4

    /// How many of the oldest questions are looked at to find one that gives way.
    private static let candidates = 16

    /// How many requests may wait; more are answered SERVFAIL.
    private static let maximumRequests = 4096
    private static let requestsAtOnce = 8
    /// For a worker without time to spare: upstreams also do better when queries come in bursts.
    private static let requestsAtOnceSaturated = 32

    enum Call {
        case query(PendingQuery)
        case probe(Upstream, ProbeSchedule)
        case loopProbe(LoopProbe)
        /// A long answer whose turn to be read comes.
        case longAnswer(PendingQuery, UpstreamExchange, [UInt8], arrival: MonotonicTime)
    }

    private unowned let sink: any ReplySink
    let loop: EventLoop
    let forwarding: SharedForwarding
    let counters: WorkerCounters
    private(set) var settings: ForwardingSettings
    private var pending: [CacheKey: PendingQuery] = [:]
    /// The same, in the order in which they began.
    private var order = RecencyList<PendingQuery>()
    /// Aliases that upstreams have left open, by the key of the question under way; see ``follow(_:for:now:)``.
    var aliases: [CacheKey: OpenAliases] = [:]
    /// Questions to be asked, from ``nextRequest`` on; those without a client refresh an answer.
    private var requests: [(key: CacheKey, client: WaitingClient?)] = []
    private var nextRequest = 0
    private let requestTarget = TimerTarget()
    private var calls = DeadlineWheel<Call>()
    private let timer = TimerTarget()
    private var timerTime: MonotonicTime?
    var random = SystemRandom()
    lazy var transport = UpstreamTransport(
        loop: loop, counters: counters, maximumSockets: forwarding.maximumSocketsPerWorker,
        queuedCount: { [unowned self] in requestCount })
    /// An empty array, kept for its memory: it receives the actions for a question.
    var spareActions: [Resolution.Action] = []

    init(
        sink: any ReplySink, loop: EventLoop, forwarding: SharedForwarding, settings: ForwardingSettings,
        counters: WorkerCounters
    ) {
        self.sink = sink
        self.loop = loop
        self.forwarding = forwarding
        self.settings = settings
        self.counters = counters
        timer.action = { [unowned self] in callDue() }
        requestTarget.action = { [unowned self] in takeRequests() }
    }

    /// How many requests are waiting.
    var requestCount: Int { requests.count - nextRequest }

    /// Begins to probe the upstreams, on the loop's thread.
    func begin() {
        let now = MonotonicTime.now
        for upstream in settings.upstreams.upstreams { probeIfNeeded(upstream, now: now) }
    }

    /// Applies other settings to new questions. Questions under way continue as they began, and requests that arrived
    /// before are asked with the old settings.
    func adopt(_ settings: ForwardingSettings) {
        while requestCount > 0 { takeRequests() }
        self.settings = settings
        begin()
    }

    /// Whether no client is waiting.
    var isIdle: Bool { requests.isEmpty && pending.allSatisfy { $0.value.clients.isEmpty } }

    /// Closes everything at the end. Clients that still wait get SERVFAIL.
    func closeAll() {
        timer.cancel()
        requestTarget.cancel()
        for request in requests[nextRequest...] {
            if let client = request.client { sink.replyFailure(.other, to: client) }
        }
        requests = []
        nextRequest = 0
        for query in pending.values {
            for client in query.clients { sink.replyFailure(.other, to: client) }
        }
        transport.cancel()
        for call in calls.elements {
            switch call {
            case .query(let query): query.stopAll(now: .now)
            case .loopProbe(let probe): probe.end()
            case .probe, .longAnswer: break
            }
        }
        for query in pending.values { forwarding.release(query.network) }
        pending = [:]
        order = RecencyList()
        aliases = [:]
        transport.closeAll()
    }

    // MARK: Questions

    /// Requests a question, for a client or as a refresh. It is asked once the loop has handled what has arrived
    /// before: answering what is known takes a tenth of the time.
    ///
    /// - Parameters:
    ///   - message: the query.
    ///   - deferred: what was found out about it.
    ///   - route: the way back to the client.
    func ask(_ message: RawSpan, _ deferred: DeferredQuery, _ route: @autoclosure () -> WaitingClient.Route?) {
        let frame = deferred.frame
        let key = CacheKey(
            name: deferred.question.name(in: message), type: deferred.question.type,
            variant: AnswerVariant(frame))
        var client: WaitingClient?
        if !deferred.isRefresh {
            guard let route = route() else { return }
            client = WaitingClient(
                frame: frame, query: message.extracting(0..<deferred.question.end).array, route: route,
                sample: deferred.sample)
        }
        request(key, client)
    }

    /// Requests the question of a client whose answer had no room; the cache may not have the answer any more.
    func askAgain(for client: WaitingClient) {
        let query = client.query.rawSpan
        guard let question = Question(query) else { return }
        let variant = AnswerVariant(client.frame)
        request(CacheKey(name: question.name(in: query), type: question.type, variant: variant), client)
    }

    private func request(_ key: CacheKey, _ client: WaitingClient?) {
        guard requestCount < Self.maximumRequests else {
            counters.count(.overLimit)
            if let client { sink.replyFailure(.other, to: client) }
            return
        }
        requests.append((key, client))
        requestTarget.activate(on: loop)
    }

    private func takeRequests() {
        let now = MonotonicTime.now
        loop.noteWork(now: now)
        let stretch = loop.pace.isSaturated ? Self.requestsAtOnceSaturated : Self.requestsAtOnce
        for _ in 0..<stretch where nextRequest < requests.count {
            let key = requests[nextRequest].key
            let client = requests[nextRequest].client.take()
            nextRequest += 1
            if let client { ask(key, for: client, now: now) } else { refresh(key, now: now) }
        }
        if nextRequest == requests.count {
            requests.removeAll(keepingCapacity: true)
            nextRequest = 0
            return
        }
        // Move the rest only once for as many requests as may wait.
        if nextRequest >= Self.maximumRequests {
            requests.removeFirst(nextRequest)
            nextRequest = 0
        }
        requestTarget.activate(on: loop)
    }

    private func ask(_ key: CacheKey, for client: consuming WaitingClient, now: MonotonicTime) {
        if hasReturned(key, now: now) { return sink.replyFailure(.other, to: client) }
        // The answer may have arrived since the client was told to wait.
        if sink.replyFromCache(key, to: client, now: now, mayBeStale: false) { return }
        switch forwarding.failures.recency(of: key, now: now) {
        case .none: break
        case .fresh:
            if replyWithWhatIsKnown(key, to: client, now: now) { return }
            counters.count(.cachedFailures)
            return sink.replyFailure(.cachedError, to: client)
        case .remembered:
            // RFC 8767 §5: not every query has to wait for an upstream that failed a moment ago.
            if sink.replyFromCache(key, to: client, now: now, mayBeStale: true) { return refresh(key, now: now) }
        }
        if let query = pending[key] {
            counters.count(.coalesced)
            guard query.clients.count < Self.maximumClients else { return giveUp(key, client, now: now) }
            query.clients.append(client)
            return
        }
        guard let query = begin(key, for: client.address, now: now) else {
            counters.count(.overLimit)
            return giveUp(key, client, now: now)
        }
        query.clients.append(client)
        handle(.begun, of: query, now: now)
    }

    private func refresh(_ key: CacheKey, now: MonotonicTime) {
        guard pending[key] == nil, let query = begin(key, for: nil, now: now) else { return }
        handle(.begun, of: query, now: now)
    }

    private func begin(_ key: CacheKey, for client: IPAddress?, now: MonotonicTime) -> PendingQuery? {
        let network = client.map { forwarding.number(ofNetwork: $0) } ?? 0
        guard admit(network, client, now: now) else { return nil }
        let query = PendingQuery(
            key: key, upstreams: settings.upstreams, deadline: now + settings.timeout, network: network,
            forwarder: self)
        pending[key] = query
        order.append(query)
        return query
    }

    // MARK: Too many

    /// Counts one more question. At a limit the oldest one that takes longer than its upstream usually does gives way:
    /// most likely nobody answers it.
    private func admit(_ network: UInt32, _ client: IPAddress?, now: MonotonicTime) -> Bool {
        let admission = forwarding.admit(network)
        if admission == .admitted { return true }
        guard let client else { return false }
        if admission == .networkIsFull {
            counters.count(.overNetworkLimit)
            forwarding.limited.note(client)
        }
        guard let oldest = oldestOverdue(ofNetwork: admission == .networkIsFull ? network : nil) else { return false }
        handle(.crowded, of: oldest, now: now)
        return forwarding.admit(network) == .admitted
    }

    /// - Parameter network: only those of this network; `nil`: any.
    private func oldestOverdue(ofNetwork network: UInt32?) -> PendingQuery? {
        func mayGiveWay(_ query: PendingQuery) -> Bool {
            query.resolution.isOverdue && (network == nil || query.network == network)
        }
        var left = Self.candidates
        let found = order.first { query in
            left -= 1
            return left == 0 || mayGiveWay(query)
        }
        return found.flatMap { mayGiveWay($0) ? $0 : nil }
    }

    /// Ends a question for a newer one: sends all clients that wait an expired answer, or SERVFAIL.
    func giveWay(_ query: PendingQuery, now: MonotonicTime) {
        counters.count(.gaveWay)
        for client in end(query) { giveUp(query.key, client, now: now) }
    }

    // MARK: Time

    /// Calls for a query at `time`, instead of any time that was set before.
    func wait(for query: PendingQuery, until time: MonotonicTime) {
        stopWaiting(for: query)
        query.ticket = call(.query(query), at: time)
    }

    /// Removes the time that was set for a query.
    func stopWaiting(for query: PendingQuery) {
        if let ticket = query.ticket.take() { calls.remove(ticket) }
    }

    @discardableResult
    func call(_ call: Call, at time: MonotonicTime) -> DeadlineWheel<Call>.Ticket {
        let ticket = calls.insert(call, at: time)
        if timerTime.map({ time < $0 }) ?? true { schedule() }
        return ticket
    }

    private func schedule() {
        guard let earliest = calls.earliest else {
            timerTime = nil
            return
        }
        timerTime = earliest
        // At least a millisecond, because the loop's clock and ours may differ by less.
        let delay = max(earliest - .now, .milliseconds(1))
        try? timer.schedule(after: delay.duration, on: loop)
    }

    private func callDue() {
        let now = MonotonicTime.now
        loop.noteWork(now: now)
        var left = Self.callsAtOnce
        while left > 0, let due = calls.popDue(at: now) {
            left -= 1
            switch due {
            case .query(let query):
                query.ticket = nil
                handle(.due, of: query, now: now)
            case .probe(let upstream, var schedule):
                guard let index = settings.upstreams.index(of: upstream) else {
                    upstream.endProbing(schedule)
                    break
                }
                guard upstream.isProbed(by: schedule) else {
                    upstream.endProbing(schedule)
                    // There may be another reason to probe it.
                    probeIfNeeded(upstream, now: now)
                    break
                }
                probe(index, now: now)
                let wait = schedule.next()
                call(.probe(upstream, schedule), at: now + wait)
            case .loopProbe(let probe): probe.end()
            case .longAnswer(let query, let exchange, let message, let arrival):
                guard query.exchange(exchange.number) === exchange else { break }
                received(message.rawSpan, on: exchange, as: .stream, for: query, arrival: arrival)
            }
        }
        if left > 0 { schedule() } else { timer.activate(on: loop) }
    }

    // MARK: Results

    /// Sends an answer to all clients that wait.
    func reply(to query: PendingQuery, _ content: AnswerContent, now: MonotonicTime) {
        let lifetime = forwarding.ttlPolicy.lifetime(of: content.ttl, isNegative: content.isNegative)
        let times = forwarding.ttlPolicy.times(lifetime: lifetime, now: now)
        let clients = end(query)
        let isReplied = sink.reply(
            content, key: query.key, times: times, isKept: content.isCacheable && lifetime > 0, ttl: max(lifetime, 1),
            to: clients)
        if !isReplied { for client in clients { sink.replyFailure(.other, to: client) } }
        forwarding.failures.remove(query.key)
    }

    /// Sends all clients that wait an expired answer, or SERVFAIL.
    func fail(_ query: PendingQuery, _ reason: ExtendedError, now: MonotonicTime) {
        counters.count(.failures)
        let clients = end(query)
        forwarding.failures.insert(query.key, now: now)
        for client in clients where !replyWithWhatIsKnown(query.key, to: client, now: now) {
            sink.replyFailure(reason, to: client)
        }
    }

    private func giveUp(_ key: CacheKey, _ client: WaitingClient, now: MonotonicTime) {
        if !replyWithWhatIsKnown(key, to: client, now: now) { sink.replyFailure(.other, to: client) }
    }

    /// Sends a client whose question can't be answered now what the cache has, expired or not; if there is nothing in
    /// its variant, then in one that asks for less. That promises nothing wrong: a client that validates sees that
    /// signatures are missing.
    ///
    /// - Returns: whether there was anything.
    private func replyWithWhatIsKnown(_ key: CacheKey, to client: WaitingClient, now: MonotonicTime) -> Bool {
        if sink.replyFromCache(key, to: client, now: now, mayBeStale: true) { return true }
        return key.variant.simpler.contains { variant in
            let known = CacheKey(name: key.name.rawSpan, type: key.type, variant: variant)
            return sink.replyFromCache(known, to: client, now: now, mayBeStale: true)
        }
    }

    /// Ends a question.
    ///
    /// - Returns: the clients that wait for it.
    private func end(_ query: PendingQuery) -> [WaitingClient] {
        pending[query.key] = nil
        order.remove(query)
        if query.resolution.hopCount > 0 { aliases[query.key] = nil }
        forwarding.release(query.network)
        query.noteUnwanted()
        defer { query.clients = [] }
        return query.clients
    }
}
