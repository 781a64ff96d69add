import CEvent

/// Queries to upstreams that are to be sent: together, with one system call for each socket that some share, once the
/// loop has handled everything that has come in.
@safe
final class UpstreamOutbox: EventTarget {
    /// Queries sent at once.
    static let capacity = 64
    /// As long as a query can be, or longer.
    private static let stride = 320

    private unowned let forwarder: Forwarder
    private let loop: EventLoop
    private var attempts: [UpstreamAttempt] = []
    private let block: UnsafeMutableRawPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let headers: UnsafeMutablePointer<mmsghdr>

    init(forwarder: Forwarder, loop: EventLoop) {
        self.forwarder = forwarder
        self.loop = loop
        attempts.reserveCapacity(Self.capacity)
        // Unsafe: three blocks of `capacity` elements each, freed in deinit; all octets have a value.
        unsafe block = .allocate(byteCount: Self.capacity * Self.stride, alignment: 64)
        unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity * Self.stride)
        unsafe vectors = .allocate(capacity: Self.capacity)
        unsafe headers = .allocate(capacity: Self.capacity)
        for index in 0..<Self.capacity {
            unsafe (vectors + index).initialize(to: iovec(iov_base: block + index * Self.stride, iov_len: 0))
            let header = unsafe msghdr(
                msg_name: nil, msg_namelen: 0, msg_iov: vectors + index, msg_iovlen: 1, msg_control: nil,
                msg_controllen: 0, msg_flags: 0)
            unsafe (headers + index).initialize(to: mmsghdr(msg_hdr: header, msg_len: 0))
        }
    }

    deinit {
        unsafe block.deallocate()
        unsafe vectors.deallocate()
        unsafe headers.deallocate()
    }

    /// Has an attempt's query sent by its socket.
    func add(_ attempt: UpstreamAttempt) {
        if attempts.count == Self.capacity { send() }
        if attempts.isEmpty { activate(on: loop) }
        let index = attempts.count
        // Unsafe: the buffer of each place has `stride` octets.
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: block + index * Self.stride, count: Self.stride)
        var message = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        let query = attempt.expectation.query
        message.append(octets: query.rawSpan)
        unsafe vectors[index].iov_len = message.byteCount
        attempts.append(attempt)
    }

    /// Sends what there is.
    func send() {
        var failed: [UpstreamAttempt] = []
        var start = 0
        while start < attempts.count {
            let socket = attempts[start].socket
            var end = start + 1
            while end < attempts.count, attempts[end].socket === socket { end += 1 }
            // Without a socket nobody waits for the answer any longer.
            if let number = socket?.number { send(start..<end, to: number, &failed) }
            start = end
        }
        attempts.removeAll(keepingCapacity: true)
        forwarder.sockets.endRun()
        if !failed.isEmpty { forwarder.unreachable(failed) }
    }

    private func send(_ places: Range<Int>, to socket: Int32, _ failed: inout [UpstreamAttempt]) {
        var sent = places.lowerBound
        while sent < places.upperBound {
            // Unsafe: the headers from `sent` on describe buffers of ours.
            let taken = unsafe sendmmsg(
                socket, headers + sent, UInt32(places.upperBound - sent), Int32(MSG_DONTWAIT))
            if taken > 0 {
                sent += Int(taken)
            } else {
                failed.append(attempts[sent])
                sent += 1
            }
        }
    }

    override func fire() {
        send()
    }
}
