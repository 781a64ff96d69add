import CEvent

/// A UDP socket connected to one upstream: the kernel lets through what comes from there alone, and tells when nobody
/// listens there.
@safe
final class UpstreamSocket: EventTarget {
    /// Datagrams read at a stretch before others have their turn: an upstream that sends garbage holds up nobody.
    private static let datagramsAtOnce = 4

    private unowned let pool: UpstreamSocketPool
    private var descriptor: Descriptor?
    /// What waits for an answer here: one, unless there are as many sockets as there may be.
    private(set) var attempts: [UpstreamAttempt] = []
    fileprivate(set) var address: SocketAddress
    /// Its place among those that may be shared.
    fileprivate var index: Int?
    fileprivate var uses = 0

    fileprivate init(pool: UpstreamSocketPool, address: SocketAddress) {
        self.pool = pool
        self.address = address
    }

    /// - Returns: `false` when the system gives no socket, or has no way to the upstream.
    fileprivate func open(_ address: SocketAddress, port: () -> UInt16, on loop: EventLoop) -> Bool {
        self.address = address
        guard let opened = ListeningSocket.openConnected(address, port: port) else { return false }
        uses = 1
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

    /// Sends a query.
    ///
    /// - Returns: `false` when the system has not taken it.
    func send(_ message: [UInt8], for attempt: UpstreamAttempt) -> Bool {
        guard let number = descriptor?.number else { return false }
        // Unsafe: the kernel reads `count` octets.
        guard unsafe CEvent.send(number, message, message.count, Int32(MSG_DONTWAIT)) >= 0 else { return false }
        attempts.append(attempt)
        return true
    }

    /// Whether an ID may be used: no other query here has it.
    func isFree(_ id: UInt16) -> Bool { !attempts.contains { $0.expectation.id == id } }

    /// Waits for an answer no longer.
    func remove(_ attempt: UpstreamAttempt) {
        attempts.removeAll { $0 === attempt }
        if attempts.isEmpty { pool.release(self) }
    }

    override func fire() {
        for _ in 0..<Self.datagramsAtOnce {
            guard let number = descriptor?.number else { return }
            // Unsafe: the kernel writes at most as many octets as the buffer has.
            let count = unsafe recv(number, pool.buffer.baseAddress, pool.buffer.count, Int32(MSG_DONTWAIT))
            guard count >= 0 else {
                let error = last_error()
                if error != EAGAIN, error != EINTR { pool.forwarder.unreachable(attempts) }
                return
            }
            pool.forwarder.received(
                unsafe RawSpan(_unsafeStart: pool.buffer.baseAddress ?? pool.start, byteCount: count), attempts)
        }
    }
}

/// A worker's sockets to upstreams.
///
/// Each query gets a socket of its own with a port that nobody can guess, which is closed with its answer
/// (RFC 5452 §9.2). While many are under way, the next few share a socket drawn at random: opening and closing one
/// costs more than the rest of a query, and a forger has to guess port, ID and letters of each query as before.
@safe
final class UpstreamSocketPool {
    /// Sockets open at once.
    static let maximumCount = 512
    /// Sockets to share: while there are fewer, a query gets one of its own.
    static let sharedCount = 32
    /// Queries that a socket is shared by before its port changes.
    static let maximumUses = 32
    /// Ports below belong to services; the rest is drawn from.
    private static let lowestPort: UInt16 = 10240
    /// How often another port is drawn when somebody has the first.
    static let portAttempts = 4

    fileprivate unowned let forwarder: Forwarder
    private let loop: EventLoop
    /// Those that may be shared.
    private var open: [UpstreamSocket] = []
    /// Those that have been used often enough, and wait for their last answers.
    private var retiredCount = 0
    /// Closed ones, to be used again: a socket may be closed while it is being read from.
    private var closed: [UpstreamSocket] = []
    fileprivate let buffer: UnsafeMutableRawBufferPointer
    fileprivate let start: UnsafeMutableRawPointer

    init(forwarder: Forwarder, loop: EventLoop) {
        self.forwarder = forwarder
        self.loop = loop
        // Unsafe: freed in deinit.
        unsafe start = .allocate(byteCount: Responder.maximumMessage, alignment: 16)
        unsafe buffer = UnsafeMutableRawBufferPointer(start: start, count: Responder.maximumMessage)
    }

    deinit {
        unsafe start.deallocate()
    }

    /// A socket for a query.
    ///
    /// - Returns: `nil` when the system gives none.
    func socket(to address: SocketAddress, _ random: inout SystemRandom) -> UpstreamSocket? {
        let isShared = open.count >= Self.sharedCount
        if isShared || open.count + retiredCount >= Self.maximumCount, let socket = drawn(for: address, random.next()) {
            return socket
        }
        guard open.count + retiredCount < Self.maximumCount else { return nil }
        let socket = closed.popLast() ?? UpstreamSocket(pool: self, address: address)
        let bits = random.next()
        var shift: UInt64 = 0
        let isOpen = socket.open(
            address,
            port: {
                defer { shift += 16 }
                let number = UInt16(truncatingIfNeeded: bits >> shift) % (.max - Self.lowestPort)
                return Self.lowestPort + number
            }, on: loop)
        guard isOpen else {
            closed.append(socket)
            return drawn(for: address, bits)
        }
        socket.index = open.count
        open.append(socket)
        return socket
    }

    /// Any of the sockets to an address that may be shared.
    private func drawn(for address: SocketAddress, _ random: UInt64) -> UpstreamSocket? {
        guard !open.isEmpty else { return nil }
        let start = Int(random % UInt64(open.count))
        guard
            let socket = open[start...].first(where: { $0.address == address })
                ?? open[..<start].first(where: { $0.address == address })
        else { return nil }
        socket.uses += 1
        // At the limit there would be none to take its place.
        if socket.uses >= Self.maximumUses, open.count + retiredCount < Self.maximumCount {
            remove(socket)
            retiredCount += 1
        }
        return socket
    }

    private func remove(_ socket: UpstreamSocket) {
        guard let index = socket.index, open.indices.contains(index) else { return }
        open.swapAt(index, open.count - 1)
        open[index].index = index
        open.removeLast()
        socket.index = nil
    }

    /// Closes a socket that nothing waits at.
    func release(_ socket: UpstreamSocket) {
        if socket.index == nil { retiredCount -= 1 } else { remove(socket) }
        socket.close()
        closed.append(socket)
    }

    /// Closes all.
    func closeAll() {
        for socket in open { socket.close() }
        open = []
    }
}
