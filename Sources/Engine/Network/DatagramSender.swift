import CEvent

/// Sends many datagrams with one system call, and has the kernel send those of one length to one address as one: it
/// routes and filters them together, and takes them apart behind that (UDP_SEGMENT, udp(7)). Most of what a datagram
/// costs is the kernel's, so this is worth more than all else that a server could save; it helps where several replies
/// of a batch go to one client's port, as to a resolver or a proxy, or several queries to one upstream.
@safe
final class DatagramSender {
    /// Datagrams that the kernel sends as one (UDP_MAX_SEGMENTS of Linux's include/linux/udp.h before 6.9).
    static let maximumCount = 64
    /// Octets of a datagram that may be sent with others: what every way to a client takes in one piece, so that the
    /// kernel does not refuse it (RFC 8200 §5, less the headers of IPv6 and UDP).
    static let longestDatagram = 1232
    /// Octets that are sent as one: an IP packet's, less headers.
    private static let longestGroup = 65_000

    private static let controlBytes = 96
    /// Places of the hash table: twice as many as there can be groups.
    private static let tableCount = 128
    private static let noNext = UInt8.max

    private let headers: UnsafeMutablePointer<mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let controls: UnsafeMutableRawPointer
    private let groups: UnsafeMutablePointer<Group>
    /// Of each datagram, the next one of its group.
    private let following: UnsafeMutablePointer<UInt8>
    /// Group numbers, from 1 on.
    private let table: UnsafeMutablePointer<UInt8>
    private var groupCount = 0

    private struct Group {
        var first: UInt8
        var last: UInt8
        var count: UInt8
    }

    init() {
        let count = Self.maximumCount
        // Unsafe in all that follows: each has as many elements as its index can count; freed in deinit.
        unsafe headers = .allocate(capacity: count)
        unsafe headers.initialize(repeating: mmsghdr(), count: count)
        unsafe vectors = .allocate(capacity: count)
        unsafe vectors.initialize(repeating: iovec(), count: count)
        unsafe controls = .allocate(byteCount: count * Self.controlBytes, alignment: 16)
        unsafe controls.initializeMemory(as: UInt8.self, repeating: 0, count: count * Self.controlBytes)
        unsafe groups = .allocate(capacity: count)
        unsafe groups.initialize(repeating: Group(first: 0, last: 0, count: 0), count: count)
        unsafe following = .allocate(capacity: count)
        unsafe following.initialize(repeating: Self.noNext, count: count)
        unsafe table = .allocate(capacity: Self.tableCount)
        unsafe table.initialize(repeating: 0, count: Self.tableCount)
    }

    deinit {
        unsafe headers.deallocate()
        unsafe vectors.deallocate()
        unsafe controls.deallocate()
        unsafe groups.deallocate()
        unsafe following.deallocate()
        unsafe table.deallocate()
    }

    /// Sends datagrams.
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
            if unsafe count > 1 && group(datagrams + start, count) {
                unsafe sendGroups(datagrams + start, by: socket) { failed($0 &+ start) }
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
            // Unsafe: the headers from `next` on are the caller's.
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

    // MARK: Groups

    /// Puts datagrams of one length that go the same way together.
    ///
    /// - Parameter count: ``maximumCount`` at most.
    /// - Returns: whether there is a group of several.
    private func group(_ datagrams: UnsafeMutablePointer<mmsghdr>, _ count: Int) -> Bool {
        // Unsafe: indices of datagrams and groups are below `count`, those of the table are masked.
        unsafe table.update(repeating: 0, count: Self.tableCount)
        groupCount = 0
        for index in 0..<count {
            let length = unsafe datagrams[index].msg_hdr.msg_iov[0].iov_len
            unsafe following[index] = Self.noNext
            var place = unsafe Self.hash(datagrams[index].msg_hdr, length)
            while true {
                let number = unsafe table[place]
                guard number != 0 else { break }
                let first = unsafe Int(groups[Int(number &- 1)].first)
                if unsafe Self.goTogether(datagrams[first].msg_hdr, datagrams[index].msg_hdr) { break }
                place = (place &+ 1) % Self.tableCount
            }
            let number = unsafe table[place]
            if number != 0 {
                let group = unsafe groups + Int(number &- 1)
                if unsafe length <= Self.longestDatagram
                    && (Int(group.pointee.count) &+ 1) &* length <= Self.longestGroup
                {
                    unsafe following[Int(group.pointee.last)] = UInt8(truncatingIfNeeded: index)
                    unsafe group.pointee.last = UInt8(truncatingIfNeeded: index)
                    unsafe group.pointee.count &+= 1
                    continue
                }
            }
            let own = UInt8(truncatingIfNeeded: index)
            unsafe groups[groupCount] = Group(first: own, last: own, count: 1)
            groupCount &+= 1
            unsafe table[place] = UInt8(truncatingIfNeeded: groupCount)
        }
        return groupCount < count
    }

    /// A place in the table, for the address and the length.
    @inline(__always)
    private static func hash(_ header: msghdr, _ length: Int) -> Int {
        var bits = UInt64(truncatingIfNeeded: length)
        if let name = unsafe header.msg_name {
            // Unsafe: an IPv4 address in the socket API's form has 16 octets, the first 8 of which tell all; one for
            // IPv6 has 28.
            unsafe bits ^= name.loadUnaligned(as: UInt64.self)
            if unsafe header.msg_namelen >= UInt32(MemoryLayout<sockaddr_in6>.size) {
                unsafe bits ^= name.loadUnaligned(fromByteOffset: 16, as: UInt64.self) &* 0xff51_afd7_ed55_8ccd
            }
        }
        return Int(truncatingIfNeeded: (bits &* 0x9e37_79b9_7f4a_7c15) >> 57)
    }

    /// Whether two datagrams have the same length, address and control message.
    @inline(__always)
    private static func goTogether(_ one: msghdr, _ other: msghdr) -> Bool {
        guard
            unsafe one.msg_iov[0].iov_len == other.msg_iov[0].iov_len && one.msg_namelen == other.msg_namelen
                && one.msg_controllen == other.msg_controllen
        else { return false }
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

    private func sendGroups(_ datagrams: UnsafeMutablePointer<mmsghdr>, by socket: Int32, failed: (Int) -> Void) {
        var vector = 0
        for number in 0..<groupCount {
            // Unsafe: as in `group`; the groups together have as many datagrams as there are vectors.
            let group = unsafe groups[number]
            let start = vector
            var index = group.first
            while index != Self.noNext {
                unsafe vectors[vector] = datagrams[Int(index)].msg_hdr.msg_iov[0]
                vector &+= 1
                index = unsafe following[Int(index)]
            }
            unsafe headers[number].msg_hdr = datagrams[Int(group.first)].msg_hdr
            guard group.count > 1 else { continue }
            unsafe headers[number].msg_hdr.msg_iov = vectors + start
            unsafe headers[number].msg_hdr.msg_iovlen = Int(group.count)
            unsafe send_in_segments(
                &headers[number].msg_hdr, controls + number &* Self.controlBytes,
                UInt16(truncatingIfNeeded: vectors[start].iov_len))
        }
        var next = 0
        while next < groupCount {
            let taken = unsafe sendmmsg(socket, headers + next, UInt32(groupCount &- next), Int32(MSG_DONTWAIT))
            if taken > 0 {
                next &+= Int(taken)
            } else {
                // A way that knows no segments (a device without checksums: EIO), or a datagram that fails by itself.
                unsafe sendMembers(of: next, datagrams, by: socket, failed: failed)
                next &+= 1
            }
        }
    }

    private func sendMembers(
        of number: Int, _ datagrams: UnsafeMutablePointer<mmsghdr>, by socket: Int32, failed: (Int) -> Void
    ) {
        var index = unsafe groups[number].first
        while index != Self.noNext {
            // Unsafe: as in `group`.
            let place = Int(index)
            if unsafe groups[number].count == 1 || sendmmsg(socket, datagrams + place, 1, Int32(MSG_DONTWAIT)) <= 0 {
                failed(place)
            }
            index = unsafe following[place]
        }
    }
}
