import CEvent

/// Buffers for a batch of datagrams: received with one system call, answered in place, sent with one system call. It
/// knows nothing of DNS.
///
/// Everything is allocated once. Fields that the kernel does not change are set once.
@safe
final class UDPBatch {
    /// How many datagrams a batch has.
    static let capacity = 64
    /// The longest query over UDP. A longer one is cut off by the kernel, and then malformed.
    static let queryBytes = 2048

    /// The distances of the buffers. A power of two would put all of them into the same few sets of the processor's
    /// cache.
    private static let queryStride = queryBytes + 64
    private static let addressStride = 32
    private static let controlStride = 64

    private let replyBytes: Int
    private let block: UnsafeMutableRawPointer
    private let queries: UnsafeMutableRawPointer
    private let replies: UnsafeMutableRawPointer
    private let addresses: UnsafeMutableRawPointer
    private let controls: UnsafeMutableRawPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let received: UnsafeMutablePointer<mmsghdr>
    private let outgoing: UnsafeMutablePointer<mmsghdr>
    private let sender = DatagramSender()
    private let hasControls: Bool
    private let isIPv4: Bool
    /// The socket's own address.
    private let own: SocketAddress
    private var outgoingCount = 0
    /// Where the next reply begins. Replies follow each other directly: most are short, so only a few lines of the
    /// processor's cache are touched, however long a reply may be.
    private var nextOffset = 0

    /// - Parameters:
    ///   - replyBytes: the length of the longest reply.
    ///   - own: the address that the socket is bound to.
    ///   - hasControls: whether each datagram has a control message with the address that it was sent to, from which it
    ///     is to be answered.
    init(replyBytes: Int, own: SocketAddress, hasControls: Bool) {
        let isIPv4 = own.address.isIPv4
        self.replyBytes = replyBytes
        self.own = own
        self.hasControls = hasControls
        self.isIPv4 = isIPv4
        // Each begins at a line of the processor's cache, so that no two share one.
        let replyRoom = (replyBytes + 63) / 64 * 64
        let count = Self.capacity
        let bufferBytes = Self.queryStride + replyRoom + Self.addressStride + Self.controlStride
        let headerBytes = unsafe 2 * MemoryLayout<mmsghdr>.stride + 2 * MemoryLayout<iovec>.stride
        // Unsafe in all that follows: one block, divided into parts of `count` elements each; freed in deinit.
        unsafe block = .allocate(byteCount: count * (bufferBytes + headerBytes), alignment: 64)
        unsafe block.initializeMemory(
            as: UInt8.self, repeating: 0, count: count * (bufferBytes + headerBytes))
        unsafe queries = block
        unsafe replies = queries + count * Self.queryStride
        unsafe addresses = replies + count * replyRoom
        unsafe controls = addresses + count * Self.addressStride
        let headers = unsafe controls + count * Self.controlStride
        unsafe received = headers.bindMemory(to: mmsghdr.self, capacity: count)
        unsafe outgoing = (headers + count * MemoryLayout<mmsghdr>.stride).bindMemory(
            to: mmsghdr.self, capacity: count)
        unsafe vectors = (headers + 2 * count * MemoryLayout<mmsghdr>.stride)
            .bindMemory(to: iovec.self, capacity: 2 * count)
        let addressBytes = isIPv4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        for index in 0..<count {
            let address = unsafe addresses + index * Self.addressStride
            let control = unsafe hasControls ? controls + index * Self.controlStride : nil
            unsafe vectors[index] = iovec(
                iov_base: queries + index * Self.queryStride, iov_len: Self.queryBytes)
            unsafe vectors[count + index] = iovec(iov_base: replies, iov_len: 0)
            unsafe received[index].msg_hdr = msghdr(
                msg_name: address, msg_namelen: socklen_t(addressBytes), msg_iov: vectors + index,
                msg_iovlen: 1,
                msg_control: control, msg_controllen: hasControls ? Self.controlStride : 0, msg_flags: 0)
            unsafe outgoing[index].msg_hdr = msghdr(
                msg_name: address, msg_namelen: socklen_t(addressBytes), msg_iov: vectors + count + index,
                msg_iovlen: 1, msg_control: control, msg_controllen: 0, msg_flags: 0)
        }
    }

    deinit {
        unsafe block.deallocate()
    }

    /// Receives what has arrived, in place of the previous batch.
    ///
    /// - Returns: the number of datagrams.
    @inline(__always)
    func receive(from socket: Int32) -> Int {
        if hasControls {
            // The kernel has overwritten the room with the length used.
            for index in 0..<Self.capacity {
                unsafe received[index].msg_hdr.msg_controllen = Self.controlStride
            }
        }
        outgoingCount = 0
        nextOffset = 0
        // Unsafe: every header describes our own buffers.
        return max(
            0, Int(unsafe recvmmsg(socket, received, UInt32(Self.capacity), Int32(MSG_DONTWAIT), nil)))
    }

    /// The datagram at a place.
    @inline(__always)
    @_lifetime(borrow self)
    func message(_ index: Int) -> RawSpan {
        let index = min(max(index, 0), Self.capacity &- 1)
        // Unsafe: the kernel has written msg_len octets, at most queryBytes, and writes no more before the next batch.
        let span = unsafe RawSpan(
            _unsafeStart: queries + index &* Self.queryStride,
            byteCount: min(Int(received[index].msg_len), Self.queryBytes))
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Room for the next reply, which is sent only after ``keep(_:to:)``.
    @inline(__always)
    @_lifetime(borrow self)
    func nextReply() -> OutputRawSpan {
        // Unsafe: there is room for another reply behind each of `capacity` replies, and only the newest of these spans
        // is written.
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: replies + nextOffset, count: replyBytes)
        let reply = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        return unsafe _overrideLifetime(reply, borrowing: self)
    }

    /// Queues the reply that was written last.
    ///
    /// - Parameters:
    ///   - byteCount: its length in octets.
    ///   - index: the place of the datagram that it answers.
    @inline(__always)
    func keep(_ byteCount: Int, to index: Int) {
        let slot = outgoingCount
        guard slot < Self.capacity, index >= 0, index < Self.capacity else { return }
        // Unsafe: the line above keeps it within bounds.
        let byteCount = min(byteCount, replyBytes)
        unsafe vectors[Self.capacity &+ slot] = iovec(iov_base: replies + nextOffset, iov_len: byteCount)
        // Behind the last reply there is no room for another one.
        if slot &+ 1 < Self.capacity { nextOffset &+= (byteCount &+ 63) & ~63 }
        unsafe outgoing[slot].msg_hdr.msg_name = received[index].msg_hdr.msg_name
        if hasControls { prepareControl(of: slot, from: index) }
        outgoingCount = slot &+ 1
    }

    /// The sender of the datagram at a place.
    @inline(__always)
    func client(_ index: Int) -> IPAddress? {
        guard index >= 0, index < Self.capacity else { return nil }
        // Unsafe: the kernel has written an address of the socket's family there.
        let address = unsafe addresses + index &* Self.addressStride
        if isIPv4 { return .v4(UInt32(bigEndian: unsafe address.load(fromByteOffset: 4, as: UInt32.self))) }
        return .v6(
            UInt64(bigEndian: unsafe address.load(fromByteOffset: 8, as: UInt64.self)),
            UInt64(bigEndian: unsafe address.load(fromByteOffset: 16, as: UInt64.self)))
    }

    /// Whether a reply to the datagram at a place would reach a client: not at port 0, and not at this very socket, as
    /// whose address somebody has forged.
    @inline(__always)
    func isAnswerable(_ index: Int) -> Bool {
        guard index >= 0, index < Self.capacity else { return false }
        // Unsafe: the kernel has written an address there; in both families the port is at 2.
        let port = UInt16(
            bigEndian: unsafe addresses.load(fromByteOffset: index &* Self.addressStride &+ 2, as: UInt16.self))
        if port != 0, port != own.port { return true }
        if port == 0 || client(index) == own.address { return false }
        // Unsafe: the kernel has written the address and, where the socket has any address, the control message.
        return unsafe !hasControls || was_sent_to_its_sender(&received[index].msg_hdr) == 0
    }

    /// The origin of the datagram at a place, for a later reply; `nil` if there is no such place.
    func origin(_ index: Int) -> DatagramOrigin? {
        guard index >= 0, index < Self.capacity else { return nil }
        // Unsafe: the line above keeps it within bounds; the kernel has written the address and the control message.
        if hasControls { unsafe answer_from_asked_address(&received[index].msg_hdr) }
        return unsafe DatagramOrigin(received[index].msg_hdr)
    }

    /// How many replies are queued, or were sent last.
    var replyCount: Int { outgoingCount }

    /// A reply that is queued or was sent last.
    @_lifetime(borrow self)
    func reply(_ slot: Int) -> RawSpan {
        guard slot >= 0, slot < outgoingCount else { return RawSpan() }
        let vector = unsafe vectors[Self.capacity &+ slot]
        guard let start = unsafe vector.iov_base else { return RawSpan() }
        // Unsafe: the reply was written there, and nothing writes there before the next batch.
        let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: vector.iov_len)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// The place of the datagram that a reply answers.
    func place(ofReply slot: Int) -> Int? {
        guard slot >= 0, slot < outgoingCount, let address = unsafe outgoing[slot].msg_hdr.msg_name else { return nil }
        // Unsafe: the address is one of those that the kernel has written for this batch.
        return unsafe (address - addresses) / Self.addressStride
    }

    /// Sends the queued replies.
    ///
    /// - Returns: how many the system did not accept: its buffer is full, or the client can't be reached.
    @inline(__always)
    func send(to socket: Int32) -> Int {
        var failures = 0
        // Unsafe: the headers describe our own buffers.
        unsafe sender.send(outgoing, 0..<outgoingCount, by: socket) { _ in failures &+= 1 }
        return failures
    }

    /// Makes the reply leave from the address that was asked.
    private func prepareControl(of slot: Int, from index: Int) {
        unsafe answer_from_asked_address(&received[index].msg_hdr)
        unsafe outgoing[slot].msg_hdr.msg_control = received[index].msg_hdr.msg_control
        unsafe outgoing[slot].msg_hdr.msg_controllen = received[index].msg_hdr.msg_controllen
    }
}
