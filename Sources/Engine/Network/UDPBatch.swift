import CEvent

/// Buffers for a batch of datagrams: received with one system call, answered in place, sent with one system call.
///
/// Everything is allocated once. What the kernel leaves as it is, is set once.
@safe
final class UDPBatch {
    /// Datagrams of a batch.
    static let capacity = 64
    /// The longest query over UDP; a longer one arrives cut off, and is malformed then.
    static let queryBytes = 2048

    /// Queries that are read before the first of them is answered.
    private static let readAhead = 16

    /// Distances of the buffers: no power of two, or all would fall into the same few sets of the processor's cache.
    private static let queryStride = queryBytes + 64
    private static let addressStride = 32
    private static let controlStride = 64

    private let replyBytes: Int
    private let replyStride: Int
    private let block: UnsafeMutableRawPointer
    private let queries: UnsafeMutableRawPointer
    private let replies: UnsafeMutableRawPointer
    private let addresses: UnsafeMutableRawPointer
    private let controls: UnsafeMutableRawPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let received: UnsafeMutablePointer<mmsghdr>
    private let outgoing: UnsafeMutablePointer<mmsghdr>
    private let parsed: UnsafeMutablePointer<Query>
    private let sender = DatagramSender()
    private let hasControls: Bool
    private let isIPv4: Bool
    private var outgoingCount = 0
    /// Queries of this batch that are not done with their reply, if they have one.
    private(set) var deferred: [DeferredQuery] = []

    /// - Parameters:
    ///   - replyBytes: the longest reply.
    ///   - isIPv4: the family of the socket's addresses.
    ///   - hasControls: whether each datagram tells the address it was sent to, and is to be answered from it.
    init(replyBytes: Int, isIPv4: Bool, hasControls: Bool) {
        self.replyBytes = replyBytes
        self.hasControls = hasControls
        self.isIPv4 = isIPv4
        deferred.reserveCapacity(Self.capacity)
        replyStride = (replyBytes + 127) / 64 * 64 | 64
        let count = Self.capacity
        let bufferBytes = Self.queryStride + replyStride + Self.addressStride + Self.controlStride
        let headerBytes = unsafe 2 * MemoryLayout<mmsghdr>.stride + 2 * MemoryLayout<iovec>.stride
        unsafe parsed = .allocate(capacity: Self.readAhead)
        // Unsafe in all that follows: one block, divided into parts of `count` elements each; freed in deinit.
        unsafe block = .allocate(byteCount: count * (bufferBytes + headerBytes), alignment: 64)
        unsafe block.initializeMemory(
            as: UInt8.self, repeating: 0, count: count * (bufferBytes + headerBytes))
        unsafe queries = block
        unsafe replies = queries + count * Self.queryStride
        unsafe addresses = replies + count * replyStride
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
            unsafe vectors[count + index] = iovec(iov_base: replies + index * replyStride, iov_len: 0)
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
        unsafe parsed.deallocate()
    }

    /// Receives what has arrived, and forgets the batch before.
    ///
    /// - Returns: how many datagrams.
    @inline(__always)
    func receive(from socket: Int32) -> Int {
        if hasControls {
            // The kernel has written how much it used.
            for index in 0..<Self.capacity {
                unsafe received[index].msg_hdr.msg_controllen = Self.controlStride
            }
        }
        outgoingCount = 0
        if !deferred.isEmpty { deferred.removeAll(keepingCapacity: true) }
        // Unsafe: every header describes buffers of ours.
        return max(
            0, Int(unsafe recvmmsg(socket, received, UInt32(Self.capacity), Int32(MSG_DONTWAIT), nil)))
    }

    /// Answers the first `count` datagrams: reads some, then answers them, so that the zone's memory is there by then.
    @inline(__always)
    func answer(_ count: Int, with responder: inout Responder, _ cache: inout CacheReading) {
        var start = 0
        while start < count {
            let end = min(start &+ Self.readAhead, count, Self.capacity)
            // Unsafe: `parsed` has readAhead places; each is filled here, and emptied below.
            for index in start..<end {
                unsafe (parsed + (index &- start)).initialize(to: responder.read(message(index), cache))
            }
            for index in start..<end { unsafe responder.prefetch(for: parsed[index &- start], &cache) }
            for index in start..<end {
                unsafe answer(index, parsed[index &- start], with: &responder, &cache)
                unsafe (parsed + (index &- start)).deinitialize(count: 1)
            }
            start = end
        }
    }

    /// What has arrived at that place.
    @inline(__always)
    @_lifetime(borrow self)
    func message(_ index: Int) -> RawSpan {
        // Unsafe: the kernel has written msg_len octets, at most queryBytes, and writes no more before the next batch.
        let span = unsafe RawSpan(
            _unsafeStart: queries + index &* Self.queryStride,
            byteCount: min(Int(received[index].msg_len), Self.queryBytes))
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    @inline(__always)
    private func answer(
        _ index: Int, _ query: Query, with responder: inout Responder, _ cache: inout CacheReading
    ) {
        let slot = outgoingCount
        // Unsafe: the reply buffer of each place has replyBytes and is written through this one span.
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: replies + slot &* replyStride, count: replyBytes)
        var reply = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        let disposition = responder.respond(
            to: message(index), query, over: .udp, from: { client(index) }, &cache, into: &reply)
        switch disposition {
        case .reply: break
        case .silence: return
        case .forward: return note(index, responder.deferred)
        case .replyAndRefresh: note(index, responder.deferred)
        }
        unsafe vectors[Self.capacity &+ slot].iov_len = reply.byteCount
        unsafe outgoing[slot].msg_hdr.msg_name = received[index].msg_hdr.msg_name
        if hasControls { prepareControl(of: slot, from: index) }
        outgoingCount = slot &+ 1
    }

    private func note(_ index: Int, _ query: DeferredQuery?) {
        guard var query else { return }
        query.place = index
        deferred.append(query)
    }

    /// Who has sent the datagram at that place.
    @inline(__always)
    private func client(_ index: Int) -> IPAddress? {
        guard index >= 0, index < Self.capacity else { return nil }
        // Unsafe: the kernel has written an address of the socket's family there.
        let address = unsafe addresses + index &* Self.addressStride
        if isIPv4 { return .v4(UInt32(bigEndian: unsafe address.load(fromByteOffset: 4, as: UInt32.self))) }
        return .v6(
            UInt64(bigEndian: unsafe address.load(fromByteOffset: 8, as: UInt64.self)),
            UInt64(bigEndian: unsafe address.load(fromByteOffset: 16, as: UInt64.self)))
    }

    /// Where the datagram at that place came from, for a reply after this batch; `nil` when there is no such place.
    func origin(_ index: Int) -> DatagramOrigin? {
        guard index >= 0, index < Self.capacity else { return nil }
        // Unsafe: within bounds by the line above; the kernel has written the address and the control message.
        if hasControls { unsafe answer_from_asked_address(&received[index].msg_hdr) }
        return unsafe DatagramOrigin(received[index].msg_hdr)
    }

    /// Sends the replies.
    ///
    /// - Returns: how many the system did not take: a full buffer, or a client that can't be reached.
    @inline(__always)
    func send(to socket: Int32) -> Int {
        var failures = 0
        // Unsafe: the headers describe buffers of ours.
        unsafe sender.send(outgoing, 0..<outgoingCount, by: socket) { _ in failures &+= 1 }
        return failures
    }

    /// The reply leaves from the address that was asked.
    private func prepareControl(of slot: Int, from index: Int) {
        unsafe answer_from_asked_address(&received[index].msg_hdr)
        unsafe outgoing[slot].msg_hdr.msg_control = received[index].msg_hdr.msg_control
        unsafe outgoing[slot].msg_hdr.msg_controllen = received[index].msg_hdr.msg_controllen
    }
}
