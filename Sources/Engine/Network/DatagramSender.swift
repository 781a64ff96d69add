import CEvent

/// Sends many datagrams with one system call. Where lengths allow, the kernel sends those to one address as one: it
/// routes and filters them together, and splits them afterwards (UDP_SEGMENT, udp(7)). Most of a datagram's cost is in
/// the kernel, so this saves more than anything else could. It helps if several replies of a batch go to one client's
/// port, as with a resolver or a proxy, or several queries to one upstream.
@safe
final class DatagramSender {
    private static let isKnownToKernel = knows_segments() != 0

    private static let controlBytes = 96
    /// Whether datagrams are sent as one. A copy, because each access to a static checks that it is initialized.
    private let isOn = isKnownToKernel
    private var plan = SegmentPlan()
    private let messages: UnsafeMutablePointer<mmsghdr>
    /// For datagrams that have to be sent separately.
    private let singles: UnsafeMutablePointer<mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let controls: UnsafeMutableRawPointer

    init() {
        let count = SegmentPlan.maximumCount
        // Unsafe in all that follows: each has as many elements as its index can have values; freed in deinit.
        unsafe messages = .allocate(capacity: count)
        unsafe messages.initialize(repeating: mmsghdr(), count: count)
        unsafe singles = .allocate(capacity: count)
        unsafe singles.initialize(repeating: mmsghdr(), count: count)
        unsafe vectors = .allocate(capacity: count)
        unsafe vectors.initialize(repeating: iovec(), count: count)
        unsafe controls = .allocate(byteCount: count * Self.controlBytes, alignment: 16)
        unsafe controls.initializeMemory(as: UInt8.self, repeating: 0, count: count * Self.controlBytes)
    }

    deinit {
        unsafe messages.deallocate()
        unsafe singles.deallocate()
        unsafe vectors.deallocate()
        unsafe controls.deallocate()
    }

    /// Sends datagrams, not necessarily in their order.
    ///
    /// - Parameters:
    ///   - datagrams: each has one vector, an address or none (a connected socket), and a control message of at most
    ///     ``DatagramOrigin/controlBytes`` or none. They are not changed.
    ///   - places: those to send.
    ///   - failed: gets the places of those that the system did not accept: its buffer is full, or nobody can be
    ///     reached there.
    @inline(__always)
    func send(
        _ datagrams: UnsafeMutablePointer<mmsghdr>, _ places: Range<Int>, by socket: Int32, failed: (Int) -> Void
    ) {
        var start = places.lowerBound
        while start < places.upperBound {
            let count = min(places.upperBound &- start, SegmentPlan.maximumCount)
            // Unsafe: the caller's headers have these places.
            if unsafe isOn && makePlan(datagrams + start, count) {
                unsafe sendTogether(datagrams + start, count, by: socket) { failed($0 &+ start) }
            } else {
                unsafe sendEach(datagrams + start, count, by: socket) { failed($0 &+ start) }
            }
            start &+= count
        }
    }

    @inline(__always)
    private func sendEach(
        _ datagrams: UnsafeMutablePointer<mmsghdr>, _ count: Int, by socket: Int32, failed: (Int) -> Void
    ) {
        var next = 0
        while next < count {
            // Unsafe: the headers from `next` on are the caller's or our own.
            let taken = unsafe sendmmsg(socket, datagrams + next, UInt32(count &- next), Int32(MSG_DONTWAIT))
            if taken > 0 {
                next &+= Int(taken)
            } else {
                // The first one failed: continue behind it.
                failed(next)
                next &+= 1
            }
        }
    }

    // MARK: Destinations

    /// Plans which datagrams are sent as one.
    ///
    /// - Returns: whether any are.
    @inline(__always)
    private func makePlan(_ datagrams: UnsafeMutablePointer<mmsghdr>, _ count: Int) -> Bool {
        // Unsafe: the plan only asks for datagrams below `count`.
        plan.make(
            count, hash: { unsafe Self.hash(datagrams[$0].msg_hdr) },
            isSame: { unsafe Self.haveSameDestination(datagrams[$0].msg_hdr, datagrams[$1].msg_hdr) },
            length: { unsafe datagrams[$0].msg_hdr.msg_iov[0].iov_len })
    }

    /// A hash of the address, in the lowest bits.
    @inline(__always)
    private static func hash(_ header: msghdr) -> UInt64 {
        guard let name = unsafe header.msg_name else { return 0 }
        // Unsafe: an IPv4 address in the socket API's form has 16 octets, of which the first 8 are enough; an IPv6
        // address has 28.
        var bits = unsafe name.loadUnaligned(as: UInt64.self)
        if unsafe header.msg_namelen >= UInt32(MemoryLayout<sockaddr_in6>.size) {
            unsafe bits ^= name.loadUnaligned(fromByteOffset: 16, as: UInt64.self) &* 0xff51_afd7_ed55_8ccd
        }
        return (bits &* 0x9e37_79b9_7f4a_7c15) >> 57
    }

    /// Whether two datagrams have the same address and control message.
    @inline(__always)
    private static func haveSameDestination(_ one: msghdr, _ other: msghdr) -> Bool {
        guard unsafe one.msg_namelen == other.msg_namelen && one.msg_controllen == other.msg_controllen else {
            return false
        }
        // Unsafe: compares as many octets as both headers point at.
        if let name = unsafe one.msg_name, let otherName = unsafe other.msg_name, unsafe name != otherName,
            unsafe memcmp(name, otherName, Int(one.msg_namelen)) != 0
        {
            return false
        }
        guard unsafe one.msg_controllen > 0, let control = unsafe one.msg_control,
            let otherControl = unsafe other.msg_control
        else { return true }
        return unsafe memcmp(control, otherControl, one.msg_controllen) == 0
    }

    // MARK: Messages

    private func sendTogether(
        _ datagrams: UnsafeMutablePointer<mmsghdr>, _ count: Int, by socket: Int32, failed: (Int) -> Void
    ) {
        var messageCount = 0
        var start = 0
        while start < count {
            start = unsafe fill(messageCount, from: datagrams, start, count)
            messageCount &+= 1
        }
        unsafe sendEach(messages, messageCount, by: socket) { number in
            let first = unsafe messages[number].msg_hdr.msg_iov - vectors
            let end = unsafe first &+ messages[number].msg_hdr.msg_iovlen
            // Some paths take no segments (EIO for IPsec or a device without checksums, EINVAL for a small MTU): send
            // each separately. A pending error of a connected socket concerns only its first datagram.
            var next = first
            if end &- first == 1 || last_error() == ECONNREFUSED {
                failed(plan[first])
                next &+= 1
            }
            let singleCount = end &- next
            for place in 0..<singleCount { unsafe singles[place] = datagrams[plan[next &+ place]] }
            unsafe sendEach(singles, singleCount, by: socket) { failed(plan[next &+ $0]) }
        }
    }

    /// Fills a message with the next datagrams of the plan.
    ///
    /// - Returns: the first datagram for the next message.
    @inline(__always)
    private func fill(
        _ number: Int, from datagrams: UnsafeMutablePointer<mmsghdr>, _ start: Int, _ count: Int
    ) -> Int {
        // Unsafe: positions are below `count`, the size of the plan and of `vectors`; there are no more messages than
        // that.
        let end = plan.end(ofMessageAt: start, count) { unsafe datagrams[$0].msg_hdr.msg_iov[0].iov_len }
        for position in start..<end { unsafe vectors[position] = datagrams[plan[position]].msg_hdr.msg_iov[0] }
        let header = unsafe datagrams[plan[start]].msg_hdr
        unsafe messages[number].msg_hdr = header
        unsafe messages[number].msg_hdr.msg_iov = vectors + start
        unsafe messages[number].msg_hdr.msg_iovlen = end &- start
        if end &- start > 1 {
            unsafe send_in_segments(
                &messages[number].msg_hdr, controls + number &* Self.controlBytes,
                UInt16(truncatingIfNeeded: vectors[start].iov_len))
        }
        return end
    }
}
