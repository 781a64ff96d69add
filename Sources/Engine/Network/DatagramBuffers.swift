import CEvent

/// Buffers for datagrams that are sent or received with one system call. Everything is allocated once.
@safe
final class DatagramBuffers {
    /// The number of datagrams that have buffers.
    let capacity: Int

    private let octets: Int
    private let stride: Int
    private let hasAddresses: Bool
    private let block: UnsafeMutableRawPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let headers: UnsafeMutablePointer<mmsghdr>
    private lazy var sender = DatagramSender()

    /// - Parameters:
    ///   - capacity: 1 or more.
    ///   - octets: the length of the longest datagram.
    ///   - hasAddresses: whether each is sent to an address of its own; otherwise the socket is connected.
    init(capacity: Int, octets: Int, hasAddresses: Bool = false) {
        self.capacity = capacity
        self.octets = octets
        self.hasAddresses = hasAddresses
        // An odd number of cache lines, for the reason given in UDPBatch.
        stride = (octets + 127) / 64 * 64 | 64
        let tail = hasAddresses ? DatagramOrigin.addressBytes + DatagramOrigin.controlBytes : 0
        // Unsafe: one block, divided into parts of `capacity` elements each, and two blocks of headers; freed in
        // deinit. Only octets that were written are read, so the system provides only as much memory as datagrams need.
        unsafe block = .allocate(byteCount: capacity * (stride + tail), alignment: 64)
        unsafe vectors = .allocate(capacity: capacity)
        unsafe headers = .allocate(capacity: capacity)
        let addresses = unsafe block + capacity * stride
        let controls = unsafe addresses + capacity * DatagramOrigin.addressBytes
        for index in 0..<capacity {
            unsafe (vectors + index).initialize(to: iovec(iov_base: block + index * stride, iov_len: octets))
            let header = unsafe msghdr(
                msg_name: hasAddresses ? addresses + index * DatagramOrigin.addressBytes : nil, msg_namelen: 0,
                msg_iov: vectors + index, msg_iovlen: 1,
                msg_control: hasAddresses ? controls + index * DatagramOrigin.controlBytes : nil, msg_controllen: 0,
                msg_flags: 0)
            unsafe (headers + index).initialize(to: mmsghdr(msg_hdr: header, msg_len: 0))
        }
    }

    deinit {
        unsafe block.deallocate()
        unsafe vectors.deallocate()
        unsafe headers.deallocate()
    }

    // MARK: Sending

    /// Writes the datagram at a place.
    ///
    /// - Parameters:
    ///   - origin: the destination, for buffers with addresses.
    ///   - body: gets an empty span with room for the longest datagram.
    @inline(__always)
    func write(_ index: Int, to origin: DatagramOrigin? = nil, _ body: (inout OutputRawSpan) -> Void) {
        guard index >= 0, index < capacity else { return }
        // Unsafe: the buffer of each place has `octets`, and is written only through this span.
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: block + index &* stride, count: octets)
        var datagram = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        body(&datagram)
        unsafe vectors[index].iov_len = datagram.byteCount
        if let origin, hasAddresses { unsafe origin.write(to: &headers[index].msg_hdr) }
    }

    /// Sends datagrams that were written.
    ///
    /// - Parameter failed: gets the places of those that the system did not accept: its buffer is full, or nobody can
    ///   be reached there.
    @inline(__always)
    func send(_ places: Range<Int>, by socket: Int32, failed: (Int) -> Void) {
        // Unsafe: the headers describe our own buffers.
        unsafe sender.send(headers, places.clamped(to: 0..<capacity), by: socket, failed: failed)
    }

    // MARK: Receiving

    /// Receives what has arrived at a connected socket.
    ///
    /// - Returns: the number of datagrams; negative: none, because of ``last_error()``.
    func receive(from socket: Int32) -> Int {
        // Unsafe: every header describes one of our own buffers.
        unsafe Int(recvmmsg(socket, headers, UInt32(capacity), Int32(MSG_DONTWAIT), nil))
    }

    /// A datagram of the last batch received.
    @_lifetime(borrow self)
    func message(_ index: Int) -> RawSpan {
        guard index >= 0, index < capacity else { return RawSpan() }
        // Unsafe: the kernel has written msg_len octets, and writes no more before the next batch.
        let span = unsafe RawSpan(
            _unsafeStart: block + index &* stride, byteCount: min(Int(headers[index].msg_len), octets))
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Whether a datagram of the last batch was longer than its buffer.
    func isCut(_ index: Int) -> Bool {
        guard index >= 0, index < capacity else { return false }
        return unsafe headers[index].msg_hdr.msg_flags & Int32(MSG_TRUNC) != 0
    }
}
