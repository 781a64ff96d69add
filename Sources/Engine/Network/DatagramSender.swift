import CEvent

/// Sends many datagrams with one system call, and has the kernel send those to one address as one where their lengths
/// allow: it routes and filters them together, and takes them apart behind that (UDP_SEGMENT, udp(7)). Most of what a
/// datagram costs is the kernel's, so this is worth more than all else that a server could save; it helps where several
/// replies of a batch go to one client's port, as to a resolver or a proxy, or several queries to one upstream.
@safe
final class DatagramSender {
    /// Datagrams that are looked at together.
    private static let maximumCount = 64
    /// Datagrams of a message: somewhat fewer than UDP_MAX_SEGMENTS (64), for Linux before 5.17 counts headers in.
    private static let maximumSegments = 60
    /// Octets of a datagram that may be sent with others: what every way to a client takes in one piece, so that the
    /// kernel does not refuse it (RFC 8200 §5, less the headers of IPv6 and UDP).
    private static let longestDatagram = 1232
    /// Octets that are sent as one: an IP packet's, less headers.
    private static let longestMessage = 65_000

    private static let isKnownToKernel = knows_segments() != 0

    private static let controlBytes = 96
    /// Places of the hash table: twice as many as there can be ways.
    private static let tableCount = 128

    /// Whether any are put together; a copy, for reading a static each time asks whether it was made.
    private let isOn = isKnownToKernel
    private var search = SegmentSearch()
    private let messages: UnsafeMutablePointer<mmsghdr>
    /// For those that have to be sent by themselves.
    private let singles: UnsafeMutablePointer<mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let controls: UnsafeMutableRawPointer
    private let order: UnsafeMutablePointer<Place>
    /// Of each way, a datagram that goes it.
    private let ways: UnsafeMutablePointer<UInt8>
    /// Numbers of ways, from 1 on.
    private let table: UnsafeMutablePointer<UInt8>

    /// A datagram's place, in the order in which datagrams are put together: by way, the longest first.
    private struct Place {
        private let bits: UInt32

        @inline(__always)
        init(_ index: Int, way: Int, length: Int) {
            bits = UInt32(truncatingIfNeeded: way << 24 | (0xFFFF &- min(length, 0xFFFF)) << 8 | index)
        }

        var index: Int { Int(bits & 0xFF) }
        @inline(__always) func goesTogether(with other: Place) -> Bool { (bits ^ other.bits) >> 24 == 0 }
        @inline(__always) static func < (one: Place, other: Place) -> Bool { one.bits < other.bits }
    }

    init() {
        let count = Self.maximumCount
        // Unsafe in all that follows: each has as many elements as its index can count; freed in deinit.
        unsafe messages = .allocate(capacity: count)
        unsafe messages.initialize(repeating: mmsghdr(), count: count)
        unsafe singles = .allocate(capacity: count)
        unsafe singles.initialize(repeating: mmsghdr(), count: count)
        unsafe vectors = .allocate(capacity: count)
        unsafe vectors.initialize(repeating: iovec(), count: count)
        unsafe controls = .allocate(byteCount: count * Self.controlBytes, alignment: 16)
        unsafe controls.initializeMemory(as: UInt8.self, repeating: 0, count: count * Self.controlBytes)
        unsafe order = .allocate(capacity: count)
        unsafe order.initialize(repeating: Place(0, way: 0, length: 0), count: count)
        unsafe ways = .allocate(capacity: count)
        unsafe ways.initialize(repeating: 0, count: count)
        unsafe table = .allocate(capacity: Self.tableCount)
        unsafe table.initialize(repeating: 0, count: Self.tableCount)
    }

    deinit {
        unsafe messages.deallocate()
        unsafe singles.deallocate()
        unsafe vectors.deallocate()
        unsafe controls.deallocate()
        unsafe order.deallocate()
        unsafe ways.deallocate()
        unsafe table.deallocate()
    }

    /// Sends datagrams, not always in their order.
    ///
    /// - Parameters:
    ///   - datagrams: each has one vector, an address or none (a connected socket), and a control message of
    ///     ``DatagramOrigin/controlBytes`` at most or none. They stay as they are.
    ///   - places: of those that are sent.
    ///   - failed: gets the places of those that the system did not take: for a full buffer, or since nobody can be
    ///     reached there.
    @inline(__always)
    func send(
        _ datagrams: UnsafeMutablePointer<mmsghdr>, _ places: Range<Int>, by socket: Int32, failed: (Int) -> Void
    ) {
        var start = places.lowerBound
        while start < places.upperBound {
            let count = min(places.upperBound &- start, Self.maximumCount)
            // Unsafe: the caller's headers have these places.
            if unsafe isOn && count > 1 && goTogether(datagrams + start, count) {
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
            // Unsafe: the headers from `next` on are the caller's, or ours.
            let taken = unsafe sendmmsg(socket, datagrams + next, UInt32(count &- next), Int32(MSG_DONTWAIT))
            if taken > 0 {
                next &+= Int(taken)
            } else {
                // The first one failed: go on behind it.
                failed(next)
                next &+= 1
            }
        }
    }

    // MARK: Which go together

    /// Whether any datagrams go the same way, as far as it is worth looking; those are behind each other then.
    @inline(__always)
    private func goTogether(_ datagrams: UnsafeMutablePointer<mmsghdr>, _ count: Int) -> Bool {
        guard search.begin() else { return false }
        let isFound = unsafe sort(datagrams, count)
        search.note(found: isFound)
        return isFound
    }

    /// Finds out which datagrams go the same way, and puts those behind each other.
    ///
    /// - Parameter count: ``maximumCount`` at most.
    /// - Returns: whether any two do.
    private func sort(_ datagrams: UnsafeMutablePointer<mmsghdr>, _ count: Int) -> Bool {
        // Unsafe: indices of datagrams and ways are below `count`, those of the table are masked.
        unsafe table.update(repeating: 0, count: Self.tableCount)
        var wayCount = 0
        for index in 0..<count {
            var place = unsafe Self.hash(datagrams[index].msg_hdr)
            var way = unsafe Int(table[place])
            while way != 0,
                unsafe !Self.goTogether(datagrams[Int(ways[way &- 1])].msg_hdr, datagrams[index].msg_hdr)
            {
                place = (place &+ 1) % Self.tableCount
                way = unsafe Int(table[place])
            }
            if way == 0 {
                unsafe ways[wayCount] = UInt8(truncatingIfNeeded: index)
                wayCount &+= 1
                way = wayCount
                unsafe table[place] = UInt8(truncatingIfNeeded: way)
            }
            unsafe order[index] = Place(index, way: way, length: datagrams[index].msg_hdr.msg_iov[0].iov_len)
        }
        guard wayCount < count else { return false }
        // Few, and most of them in order.
        for index in 1..<count {
            let place = unsafe order[index]
            var gap = index
            while gap > 0, unsafe place < order[gap &- 1] {
                unsafe order[gap] = order[gap &- 1]
                gap &-= 1
            }
            unsafe order[gap] = place
        }
        return true
    }

    /// A place in the table, for the address.
    @inline(__always)
    private static func hash(_ header: msghdr) -> Int {
        guard let name = unsafe header.msg_name else { return 0 }
        // Unsafe: an IPv4 address in the socket API's form has 16 octets, the first 8 of which tell all; one for IPv6
        // has 28.
        var bits = unsafe name.loadUnaligned(as: UInt64.self)
        if unsafe header.msg_namelen >= UInt32(MemoryLayout<sockaddr_in6>.size) {
            unsafe bits ^= name.loadUnaligned(fromByteOffset: 16, as: UInt64.self) &* 0xff51_afd7_ed55_8ccd
        }
        return Int(truncatingIfNeeded: (bits &* 0x9e37_79b9_7f4a_7c15) >> 57)
    }

    /// Whether two datagrams have the same address and control message.
    @inline(__always)
    private static func goTogether(_ one: msghdr, _ other: msghdr) -> Bool {
        guard unsafe one.msg_namelen == other.msg_namelen && one.msg_controllen == other.msg_controllen else {
            return false
        }
        // Unsafe: as many octets are compared as both headers show.
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
            // A way without segments (EIO for IPsec or a device without checksums, EINVAL for a small MTU): each by
            // itself. An error that waited at a connected socket is told of its first datagram alone.
            var next = first
            if end &- first == 1 || last_error() == ECONNREFUSED {
                failed(unsafe order[first].index)
                next &+= 1
            }
            let singleCount = end &- next
            for place in 0..<singleCount { unsafe singles[place] = datagrams[order[next &+ place].index] }
            unsafe sendEach(singles, singleCount, by: socket) { failed(unsafe order[next &+ $0].index) }
        }
    }

    /// Fills a message with as many datagrams as go into it: those that go the same way and are as long as the first,
    /// and a shorter one at the end.
    ///
    /// - Returns: the first datagram for the next message.
    @inline(__always)
    private func fill(
        _ number: Int, from datagrams: UnsafeMutablePointer<mmsghdr>, _ start: Int, _ count: Int
    ) -> Int {
        // Unsafe: places are below `count`, so that `order` and `vectors` have them; there are no more messages.
        let first = unsafe order[start]
        let header = unsafe datagrams[first.index].msg_hdr
        let length = unsafe header.msg_iov[0].iov_len
        unsafe vectors[start] = header.msg_iov[0]
        var end = start &+ 1
        if length <= Self.longestDatagram {
            var left = Self.longestMessage &- length
            while end < min(count, start &+ Self.maximumSegments), unsafe order[end].goesTogether(with: first) {
                let next = unsafe datagrams[order[end].index].msg_hdr.msg_iov[0]
                left &-= unsafe next.iov_len
                guard unsafe left >= 0 && next.iov_len > 0 else { break }
                unsafe vectors[end] = next
                end &+= 1
                guard unsafe next.iov_len == length else { break }
            }
        }
        unsafe messages[number].msg_hdr = header
        unsafe messages[number].msg_hdr.msg_iov = vectors + start
        unsafe messages[number].msg_hdr.msg_iovlen = end &- start
        if end &- start > 1 {
            unsafe send_in_segments(
                &messages[number].msg_hdr, controls + number &* Self.controlBytes, UInt16(truncatingIfNeeded: length))
        }
        return end
    }
}
