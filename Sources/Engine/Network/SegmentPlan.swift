/// Decides which datagrams of a batch the kernel can send as one (UDP_SEGMENT, udp(7)). Pure.
///
/// One message holds datagrams to one destination, all of one length but the last, which may be shorter. The plan knows
/// only lengths, and whether two destinations are the same.
struct SegmentPlan {
    /// The most datagrams of a batch.
    static let maximumCount = 64
    /// The most datagrams in a message: fewer than UDP_MAX_SEGMENTS (64), because Linux before 5.17 counts headers too.
    static let maximumSegments = 60
    /// The most octets of a datagram that is sent with others: every path carries that size in one piece, so the kernel
    /// does not refuse it (RFC 8200 §5, less the headers of IPv6 and UDP).
    static let longestDatagram = 1232
    /// The most octets of a message: those of an IP packet, less headers.
    static let longestMessage = 65_000

    /// The size of the hash table: twice the most destinations that there can be.
    private static let tableCount = 128

    /// The datagrams in the order in which they are sent: by destination, the longest first.
    private var order = InlineArray<64, Place>(repeating: Place(0, destination: 0, length: 0))
    /// For each destination, the index of a datagram to it.
    private var destinations = InlineArray<64, UInt8>(repeating: 0)
    /// Numbers of destinations, from 1 on.
    private var table = InlineArray<128, UInt8>(repeating: 0)
    private var search = Trial()

    /// A datagram as a number that sorts as in ``order``.
    private struct Place {
        private let bits: UInt32

        @inline(__always)
        init(_ index: Int, destination: Int, length: Int) {
            bits = UInt32(truncatingIfNeeded: destination << 24 | (0xFFFF &- min(length, 0xFFFF)) << 8 | index)
        }

        var index: Int { Int(bits & 0xFF) }
        @inline(__always) func goesWith(_ other: Place) -> Bool { (bits ^ other.bits) >> 24 == 0 }
        @inline(__always) static func < (one: Place, other: Place) -> Bool { one.bits < other.bits }
    }

    /// The datagram to send at that position, by its index in the batch.
    @inline(__always)
    subscript(position: Int) -> Int { order[position].index }

    /// Plans a batch, unless recent batches suggest that searching is not worth it.
    ///
    /// - Parameters:
    ///   - count: the number of datagrams; at most ``maximumCount``.
    ///   - hash: the hash of a datagram's destination; equal destinations have equal hashes.
    ///   - isSame: whether two datagrams have the same destination.
    ///   - length: the octets of a datagram.
    /// - Returns: whether any two have the same destination. If not, there is no plan, and each is sent separately.
    @inline(__always)
    mutating func make(
        _ count: Int, hash: (Int) -> UInt64, isSame: (Int, Int) -> Bool, length: (Int) -> Int
    ) -> Bool {
        guard count > 1, search.begin() else { return false }
        let destinationCount = assign(min(count, Self.maximumCount), hash, isSame, length)
        let isFound = destinationCount < count
        search.note(success: isFound)
        if isFound { sort(min(count, Self.maximumCount)) }
        return isFound
    }

    /// Numbers the destinations, and puts the datagrams into ``order`` in the order of the batch.
    ///
    /// - Returns: the number of destinations.
    @inline(__always)
    private mutating func assign(
        _ count: Int, _ hash: (Int) -> UInt64, _ isSame: (Int, Int) -> Bool, _ length: (Int) -> Int
    ) -> Int {
        table = InlineArray(repeating: 0)
        var destinationCount = 0
        for index in 0..<count {
            var place = Int(truncatingIfNeeded: hash(index) % UInt64(Self.tableCount))
            var destination = Int(table[place])
            while destination != 0, !isSame(Int(destinations[destination &- 1]), index) {
                place = (place &+ 1) % Self.tableCount
                destination = Int(table[place])
            }
            if destination == 0 {
                destinations[destinationCount] = UInt8(truncatingIfNeeded: index)
                destinationCount &+= 1
                destination = destinationCount
                table[place] = UInt8(truncatingIfNeeded: destination)
            }
            order[index] = Place(index, destination: destination, length: length(index))
        }
        return destinationCount
    }

    /// Sorts by insertion: there are few datagrams, and most are in order already.
    private mutating func sort(_ count: Int) {
        for index in 1..<count {
            let place = order[index]
            var gap = index
            while gap > 0, place < order[gap &- 1] {
                order[gap] = order[gap &- 1]
                gap &-= 1
            }
            order[gap] = place
        }
    }

    /// The end of the message that begins at a position of the plan.
    ///
    /// - Parameters:
    ///   - count: as it was planned.
    ///   - length: the octets of a datagram.
    /// - Returns: the position behind its last datagram, where the next message begins.
    @inline(__always)
    func end(ofMessageAt start: Int, _ count: Int, length: (Int) -> Int) -> Int {
        let first = order[start]
        let segmentLength = length(first.index)
        var end = start &+ 1
        guard segmentLength <= Self.longestDatagram else { return end }
        var left = Self.longestMessage &- segmentLength
        while end < min(count, start &+ Self.maximumSegments), order[end].goesWith(first) {
            let next = length(order[end].index)
            left &-= next
            // A datagram without octets could not be told from the end of the one before.
            guard left >= 0, next > 0 else { break }
            end &+= 1
            // A shorter datagram must be the last one.
            guard next == segmentLength else { break }
        }
        return end
    }
}
