import CEvent

/// A UDP socket connected to one upstream: the kernel lets through only what comes from there, and reports if nobody
/// listens there.
final class UpstreamSocket: EventTarget {
    /// After this many messages with IDs that nothing waits for, somebody is assumed to be guessing IDs.
    static let maximumNearMisses = 16
    /// The most IDs that are remembered: those of all queries that use a socket, unless there is no other socket.
    private static let maximumPastIDs = 4 * UpstreamSocketPool.maximumUses

    private unowned let pool: UpstreamSocketPool
    private var descriptor: Descriptor?
    /// The exchanges that wait for an answer here.
    private(set) var exchanges: [UpstreamExchange] = []
    /// Their IDs, in the same order.
    private var ids: [UInt16] = []
    /// The last IDs of queries that waited here before: their answers may be late, or arrive twice.
    private var pastIDs: [UInt16] = []
    /// How many messages had none of these IDs while something waited here.
    private var nearMisses = 0
    fileprivate(set) var address: SocketAddress
    /// Its index among the sockets that may be shared; `nil`: it is not one of them.
    fileprivate var index: Int?
    fileprivate var uses = 0
    private var openings = 0

    fileprivate init(pool: UpstreamSocketPool, address: SocketAddress) {
        self.pool = pool
        self.address = address
    }

    /// - Returns: `false` if the system gives no socket, or has no route to the upstream.
    fileprivate func open(_ address: SocketAddress, port: () -> UInt16, on loop: EventLoop) -> Bool {
        self.address = address
        guard let opened = ListeningSocket.openConnected(address, port: port) else { return false }
        uses = 0
        nearMisses = 0
        pastIDs.removeAll(keepingCapacity: true)
        openings &+= 1
        let number = opened.number
        descriptor = consume opened
        guard (try? watch(number, on: loop)) != nil else {
            descriptor = nil
            return false
        }
        return true
    }

    fileprivate func close() {
        cancel()
        descriptor = nil
    }

    /// The socket's descriptor; `nil`: it is closed.
    var number: Int32? { descriptor?.number }

    /// Whether an ID may be used: no other query here has it.
    func isFree(_ id: UInt16) -> Bool { !ids.contains(id) }

    /// Begins to wait for an answer.
    func add(_ exchange: UpstreamExchange) {
        exchanges.append(exchange)
        ids.append(exchange.id)
        exchange.wait(at: self)
        pool.inFlight += 1
    }

    /// Stops waiting for an answer.
    func remove(_ exchange: UpstreamExchange, now: MonotonicTime) {
        guard let place = ids.firstIndex(of: exchange.id), exchanges[place] === exchange else { return }
        exchanges.swapAt(place, exchanges.count - 1)
        exchanges.removeLast()
        ids.swapAt(place, ids.count - 1)
        ids.removeLast()
        if pastIDs.count >= Self.maximumPastIDs { pastIDs.removeFirst(Self.maximumPastIDs / 2) }
        pastIDs.append(exchange.id)
        pool.inFlight -= 1
        if exchanges.isEmpty { pool.release(self, now: now) }
    }

    override func fire() {
        guard let number = descriptor?.number else { return }
        let count = pool.received.receive(from: number)
        guard count >= 0 else {
            let error = last_error()
            if error != EAGAIN, error != EINTR { tellRefused() }
            return
        }
        // Messages are received once per round, so that an upstream that sends garbage holds up nobody. An answer may
        // close the socket, and another query may open it again: the remaining messages are then for neither.
        let openings = openings
        let received = pool.received
        for index in 0..<count where openings == self.openings {
            let message = received.message(index)
            guard let place = message.uint16(at: 0).flatMap({ ids.firstIndex(of: $0) }) else {
                pool.noteStray()
                if let id = message.uint16(at: 0) { noteStray(id) }
                continue
            }
            let exchange = exchanges[place]
            exchange.owner.received(message, on: exchange, as: received.isCut(index) ? .truncatedDatagram : .datagram)
        }
    }

    /// Notes a message with an ID that nothing waits for. After so many of them, somebody has found the port and is
    /// guessing the ID of an answer. The queries that wait here are then asked in another way.
    private func noteStray(_ id: UInt16) {
        guard !exchanges.isEmpty, !pastIDs.contains(id) else { return }
        nearMisses += 1
        guard nearMisses >= Self.maximumNearMisses else { return }
        let now = MonotonicTime.now
        pool.retire(self)
        exchanges.first?.upstream.noteGuesses()
        // An owner that is told may stop other exchanges.
        for exchange in exchanges where exchange.socket === self {
            exchange.stop(now: now)
            exchange.owner.ended(exchange, .guessed)
        }
    }

    /// Handles an ICMP message that says that nobody listens at the upstream, or that there is no route to it. It names
    /// only the socket, and whoever guesses the socket's port can send it.
    private func tellRefused() {
        pool.noteWork()
        exchanges.first?.upstream.refused()
        // An owner that is told may stop other exchanges.
        for exchange in exchanges where exchange.socket === self && !exchange.isRefused {
            exchange.isRefused = true
            exchange.owner.refused(exchange)
        }
    }
}

/// A worker's sockets to upstreams.
///
/// Each query gets its own socket with a port that nobody can guess. The socket is closed once the answer has arrived
/// (RFC 5452 §9.2). While many queries are under way, they share sockets that are drawn at random, some dozen queries
/// each: opening and closing a socket costs as much as the rest of a query. A forger still has to guess the port, ID
/// and letters of a query.
final class UpstreamSocketPool {
    /// From this many queries on that are under way or to be asked, sockets are shared; as many are shared for each
    /// upstream. With fewer queries, each has its own socket.
    static let sharedCount = 32
    /// How long sockets remain shared after there were so many queries. An upstream that answers many at once is left
    /// with few for a moment, and it would cost too much to close and open all sockets each time.
    static let sharedTime = Nanoseconds.milliseconds(100)
    /// The most queries that share a socket before its port changes.
    static let maximumUses = 64
    /// Up to this many queries that are sent together share a socket: one system call sends them.
    static let runLength = 16
    /// The most datagrams that one system call receives.
    private static let batchCapacity = 8

    private let loop: EventLoop
    private let counters: WorkerCounters
    /// The most sockets open at once.
    private let maximumCount: Int
    private let queuedCount: () -> Int
    /// The open sockets that may be shared.
    private var open: [UpstreamSocket] = []
    /// How many sockets have been used often enough, and wait only for their last answers.
    private var retiredCount = 0
    /// Closed sockets, to be used again: a socket may be closed while it is being read from.
    private var closed: [UpstreamSocket] = []
    /// How many queries are under way on all sockets.
    fileprivate var inFlight = 0
    private var sharingEnd = MonotonicTime.distantPast
    /// For ``closeIdle()``.
    private let timer = TimerTarget()
    private var run: (socket: UpstreamSocket, left: Int)?
    fileprivate let received = DatagramBuffers(
        capacity: batchCapacity, octets: Int(UpstreamQuery.payload))

    /// - Parameters:
    ///   - maximumCount: the most sockets open at once.
    ///   - queuedCount: returns how many questions wait to be asked.
    init(loop: EventLoop, counters: WorkerCounters, maximumCount: Int, queuedCount: @escaping () -> Int) {
        self.loop = loop
        self.counters = counters
        self.maximumCount = maximumCount
        self.queuedCount = queuedCount
        timer.action = { [unowned self] in closeIdle() }
    }

    // MARK: Sockets

    /// Provides a socket for a query.
    ///
    /// - Returns: `nil` if the system gives none.
    func socket(to address: SocketAddress, now: MonotonicTime, _ random: inout SystemRandom) -> UpstreamSocket? {
        let isSharing = isSharing(now)
        if isSharing, let (socket, left) = run, left > 0, socket.number != nil, socket.address == address {
            run = (socket, left - 1)
            return used(socket)
        }
        let socket = anySocket(to: address, isSharing: isSharing, &random)
        run = socket.map { ($0, Self.runLength - 1) }
        return socket.map(used)
    }

    /// Whether sockets are shared.
    private func isSharing(_ now: MonotonicTime) -> Bool {
        if inFlight + queuedCount() >= Self.sharedCount {
            if now >= sharingEnd { try? timer.schedule(after: Self.sharedTime.duration, on: loop) }
            sharingEnd = now + Self.sharedTime
        }
        return now < sharingEnd
    }

    /// Closes the sockets at which nothing waits, once sockets are no longer shared.
    private func closeIdle() {
        guard !isSharing(.now) else {
            try? timer.schedule(after: Self.sharedTime.duration, on: loop)
            return
        }
        for idle in open where idle.exchanges.isEmpty {
            remove(idle)
            close(idle)
        }
    }

    /// Notes that all queries so far were sent: the next one draws a new socket.
    func endRun() {
        run = nil
    }

    private func anySocket(to address: SocketAddress, isSharing: Bool, _ random: inout SystemRandom) -> UpstreamSocket?
    {
        let isFull = open.count + retiredCount >= maximumCount
        if isFull || (isSharing && open.count { $0.address == address } >= Self.sharedCount),
            let socket = drawn(for: address, &random)
        {
            return socket
        }
        guard !isFull else { return nil }
        let socket = closed.popLast() ?? UpstreamSocket(pool: self, address: address)
        guard socket.open(address, port: { SourcePort.draw(&random) }, on: loop) else {
            closed.append(socket)
            return drawn(for: address, &random)
        }
        socket.index = open.count
        open.append(socket)
        return socket
    }

    /// Draws one of the sockets to an address that may be shared.
    private func drawn(for address: SocketAddress, _ random: inout SystemRandom) -> UpstreamSocket? {
        open.drawn(&random) { $0.address == address }
    }

    private func used(_ socket: UpstreamSocket) -> UpstreamSocket {
        socket.uses += 1
        // At the limit there would be no socket to replace it.
        if socket.uses >= Self.maximumUses, open.count + retiredCount < maximumCount { retire(socket) }
        return socket
    }

    /// Takes a socket, at which others wait, out of use for further queries.
    fileprivate func retire(_ socket: UpstreamSocket) {
        guard socket.index != nil else { return }
        remove(socket)
        retiredCount += 1
        run = nil
    }

    private func remove(_ socket: UpstreamSocket) {
        guard let index = socket.index, open.indices.contains(index) else { return }
        open.swapAt(index, open.count - 1)
        open[index].index = index
        open.removeLast()
        socket.index = nil
    }

    /// Closes a socket at which nothing waits. While sockets are shared, it stays open for the next queries, unless it
    /// was taken out of use.
    fileprivate func release(_ socket: UpstreamSocket, now: MonotonicTime) {
        if socket.index == nil {
            retiredCount -= 1
            close(socket)
        } else if !isSharing(now) {
            remove(socket)
            close(socket)
        }
    }

    private func close(_ socket: UpstreamSocket) {
        socket.close()
        closed.append(socket)
    }

    /// Notes a message that nothing waits for.
    fileprivate func noteStray() {
        loop.noteWork()
        counters.count(.wrongAnswers)
    }

    fileprivate func noteWork() {
        loop.noteWork()
    }

    /// Closes all sockets.
    func closeAll() {
        timer.cancel()
        for socket in open { socket.close() }
        open = []
    }
}
