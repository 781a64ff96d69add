import CEvent

/// Replies of one UDP socket that clients had to wait for. They are sent together, with one system call, once the loop
/// has handled everything that has come in: for upstreams answer many queries at a time.
@safe
final class ReplyQueue: EventTarget {
    /// Replies sent at once.
    static let capacity = 64

    private let socket: Int32
    private let loop: EventLoop
    private let counters: WorkerCounters
    private let replyBytes: Int
    private let replyStride: Int
    private let block: UnsafeMutableRawPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let headers: UnsafeMutablePointer<mmsghdr>
    private var count = 0

    /// - Parameters:
    ///   - replyBytes: the longest reply.
    ///   - socket: stays open for as long as this object is used.
    init(replyBytes: Int, socket: Int32, loop: EventLoop, counters: WorkerCounters) {
        self.replyBytes = replyBytes
        self.socket = socket
        self.loop = loop
        self.counters = counters
        // Distances as in UDPBatch.
        replyStride = (replyBytes + 127) / 64 * 64 | 64
        let tail = DatagramOrigin.addressBytes + DatagramOrigin.controlBytes
        let bytes = Self.capacity * (replyStride + tail)
        // Unsafe in all that follows: one block, divided into parts of `capacity` elements each; freed in deinit.
        unsafe block = .allocate(byteCount: bytes, alignment: 64)
        unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        unsafe vectors = .allocate(capacity: Self.capacity)
        unsafe headers = .allocate(capacity: Self.capacity)
        let addresses = unsafe block + Self.capacity * replyStride
        let controls = unsafe addresses + Self.capacity * DatagramOrigin.addressBytes
        for index in 0..<Self.capacity {
            unsafe (vectors + index).initialize(to: iovec(iov_base: block + index * replyStride, iov_len: 0))
            let header = unsafe msghdr(
                msg_name: addresses + index * DatagramOrigin.addressBytes, msg_namelen: 0, msg_iov: vectors + index,
                msg_iovlen: 1, msg_control: controls + index * DatagramOrigin.controlBytes, msg_controllen: 0,
                msg_flags: 0)
            unsafe (headers + index).initialize(to: mmsghdr(msg_hdr: header, msg_len: 0))
        }
    }

    deinit {
        unsafe block.deallocate()
        unsafe vectors.deallocate()
        unsafe headers.deallocate()
    }

    /// Has a reply sent.
    ///
    /// - Parameter write: writes it; the span has room for the longest reply.
    @inline(__always)
    func add(to origin: DatagramOrigin, _ write: (inout OutputRawSpan) -> Void) {
        if count == Self.capacity { send() }
        if count == 0 { activate(on: loop) }
        // Unsafe: the buffer of each place has replyBytes and is written through this one span.
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: block + count &* replyStride, count: replyBytes)
        var reply = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        write(&reply)
        unsafe vectors[count].iov_len = reply.byteCount
        unsafe origin.write(to: &headers[count].msg_hdr)
        count &+= 1
    }

    /// Sends what there is.
    func send() {
        var sent = 0
        while sent < count {
            // Unsafe: the headers from `sent` on describe buffers of ours.
            let taken = unsafe sendmmsg(socket, headers + sent, UInt32(count &- sent), Int32(MSG_DONTWAIT))
            if taken > 0 {
                sent &+= Int(taken)
            } else {
                // The first one failed, for a full buffer or a client that can't be reached: go on behind it.
                counters.sendErrors.count()
                sent &+= 1
            }
        }
        count = 0
    }

    override func fire() {
        send()
    }
}
