import CEvent

/// A UDP socket connected to one upstream: the kernel lets through what comes from there alone, and tells when nobody
/// listens there.
final class UpstreamSocket: EventTarget {
    /// Messages with IDs that nothing waits for, after which somebody guesses at them.
    static let maximumNearMisses = 16
    /// IDs at most that are remembered: of all that use a socket, unless there is no other.
    private static let maximumPastIDs = 4 * UpstreamSocketPool.maximumUses

    private unowned let pool: UpstreamSocketPool
    private var descriptor: Descriptor?
    /// What waits for an answer here.
    private(set) var exchanges: [UpstreamExchange] = []
    /// Their IDs, in the same order.
    private var ids: [UInt16] = []
    /// The last of those of queries that waited here before: their answers may be late, or come twice.
    private var pastIDs: [UInt16] = []
    /// Messages that came with none of these while something waited here.
    private var nearMisses = 0
    fileprivate(set) var address: SocketAddress
    /// Its place among those that may be shared.
    fileprivate var index: Int?
    fileprivate var uses = 0
    private var openings = 0

    fileprivate init(pool: UpstreamSocketPool, address: SocketAddress) {
        self.pool = pool
        self.address = address
    }

    /// - Returns: `false` when the system gives no socket, or has no way to the upstream.
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

    /// The system's number of it; `nil`: it is closed.
    var number: Int32? { descriptor?.number }

    /// Whether an ID may be used: no other query here has it.
    func isFree(_ id: UInt16) -> Bool { !ids.contains(id) }

    /// Waits for an answer.
    func add(_ exchange: UpstreamExchange) {
        exchanges.append(exchange)
        ids.append(exchange.id)
        exchange.wait(at: self)
        pool.inFlight += 1
    }

    /// Waits for an answer no longer.
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
        // Once a round, so that an upstream that sends garbage holds up nobody. An answer may close the socket, and
        // another query open it again: what is left is for neither.
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
            exchange.owner.received(message, exchange, received.isCut(index) ? .cutDatagram : .datagram)
        }
    }

    /// A message has come with an ID that nothing waits for. After so many somebody guesses at the ID of an answer, and
    /// has found the port: what waits here is asked in another way.
    private func noteStray(_ id: UInt16) {
        guard !exchanges.isEmpty, !pastIDs.contains(id) else { return }
        nearMisses += 1
        guard nearMisses >= Self.maximumNearMisses else { return }
        let now = MonotonicTime.now
        pool.retire(self)
        exchanges.first?.upstream.noteGuesses()
        // Whoever is told may stop others.
        for exchange in exchanges where exchange.socket === self {
            exchange.stop(now: now)
            exchange.owner.ended(exchange, .guessed)
        }
    }

    /// It is said that nobody listens at the upstream, or that there is no way to it (ICMP). That names the socket
    /// alone, and whoever guesses its port can send it.
    private func tellRefused() {
        pool.noteWork()
        exchanges.first?.upstream.refused()
        // Whoever is told may stop others.
        for exchange in exchanges where exchange.socket === self && !exchange.isRefused {
            exchange.isRefused = true
            exchange.owner.refused(exchange)
        }
    }
}

/// A worker's sockets to upstreams.
///
/// Each query gets a socket of its own with a port that nobody can guess, which is closed with its answer
/// (RFC 5452 §9.2). While many are under way, sockets drawn at random are shared, each by some dozen queries: opening
/// and closing one costs as much as the rest of a query. A forger has to guess port, ID and letters of a query as
/// before.
final class UpstreamSocketPool {
    /// Queries under way, or to be asked, from which on sockets are shared, and how many are for each upstream. With
    /// fewer queries each has one of its own.
    static let sharedCount = 32
    /// How long sockets are shared after there were so many: an upstream that answers many at once is left with few for
    /// a moment, and closing and opening all of them each time would cost more than it is worth.
    static let sharedTime = Nanoseconds.milliseconds(100)
    /// Queries that a socket is shared by before its port changes.
    static let maximumUses = 64
    /// Queries that are sent together share a socket, up to this: one system call sends them.
    static let runLength = 16
    /// Datagrams received with one system call.
    private static let batchCapacity = 8

    private let loop: EventLoop
    private let counters: WorkerCounters
    /// Sockets open at once.
    private let maximumCount: Int
    private let queuedCount: () -> Int
    /// Those that may be shared.
    private var open: [UpstreamSocket] = []
    /// Those that have been used often enough, and wait for their last answers.
    private var retiredCount = 0
    /// Closed ones, to be used again: a socket may be closed while it is being read from.
    private var closed: [UpstreamSocket] = []
    /// Queries under way on all sockets.
    fileprivate var inFlight = 0
    private var sharingEnd = MonotonicTime.distantPast
    /// For ``closeIdle()``.
    private let timer = TimerTarget()
    private var run: (socket: UpstreamSocket, left: Int)?
    fileprivate let received = DatagramBuffers(
        capacity: batchCapacity, octets: Int(UpstreamQuery.payload))

    /// - Parameters:
    ///   - maximumCount: sockets open at once.
    ///   - queuedCount: how many questions wait to be asked.
    init(loop: EventLoop, counters: WorkerCounters, maximumCount: Int, queuedCount: @escaping () -> Int) {
        self.loop = loop
        self.counters = counters
        self.maximumCount = maximumCount
        self.queuedCount = queuedCount
        timer.action = { [unowned self] in closeIdle() }
    }

    // MARK: Sockets

    /// A socket for a query.
    ///
    /// - Returns: `nil` when the system gives none.
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

    /// Closes those that nothing waits at, once they are shared no longer.
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

    /// What was asked for until now is sent: the next query draws anew.
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

    /// Any of the sockets to an address that may be shared.
    private func drawn(for address: SocketAddress, _ random: inout SystemRandom) -> UpstreamSocket? {
        open.drawn(&random) { $0.address == address }
    }

    private func used(_ socket: UpstreamSocket) -> UpstreamSocket {
        socket.uses += 1
        // At the limit there would be none to take its place.
        if socket.uses >= Self.maximumUses, open.count + retiredCount < maximumCount { retire(socket) }
        return socket
    }

    /// No further query uses a socket, at which others wait.
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

    /// A socket that nothing waits at is closed, or stays for the next queries while there are many.
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

    /// A message has come that nothing waits for.
    fileprivate func noteStray() {
        loop.noteWork()
        counters.count(.wrongAnswers)
    }

    fileprivate func noteWork() {
        loop.noteWork()
    }

    /// Closes all.
    func closeAll() {
        timer.cancel()
        for socket in open { socket.close() }
        open = []
    }
}
