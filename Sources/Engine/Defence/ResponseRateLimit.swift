import CEvent
import Synchronization

/// Limits how many equal responses over UDP a client's network gets in a second, so that a forged sender can't have a
/// victim flooded with them. Shared by all workers.
///
/// Each network and kind of response has a bucket with as many tokens as there may be responses in a second; it fills
/// at that rate, and a response takes one. A response without a token is dropped, or every n-th of them is sent with TC
/// and without records: a true client then asks over TCP, where nobody can forge its address.
///
/// The buckets are in a table of fixed size, found by a keyed hash, so nobody can choose which share a place. A line of
/// the processor's cache has eight of them. If all are taken, the fullest one is lost to the new one: a flood of forged
/// networks makes room for itself, but gives no tokens back to a bucket that is being emptied. Two networks with the
/// same 18 bits in one line share a bucket, which happens to one in 30,000.
@safe
final class ResponseRateLimit: Sendable {
    /// The responses that count as equal.
    enum Kind: UInt8 {
        /// Records of one name and type.
        case records
        /// A name without records of the type.
        case noData
        /// Any name that does not exist in a zone.
        case nameError
        /// Any error.
        case error
        /// Whatever a name outside answers.
        case outside
    }

    /// What happens with a response.
    enum Verdict {
        case send
        /// Send it with TC and without records.
        case truncate
        case drop
    }

    /// How many lines the table has: 2 MiB, of which the system provides what is used.
    static let lineCount = 1 << 15

    /// For checks.
    let view: View
    /// Networks that were limited.
    let limited = LimitedNetworkLog()

    /// - Parameter lineCount: a power of two.
    /// - Throws: ``EngineError/resourceExhausted(_:)`` if memory is short.
    init(_ settings: ResponseRateLimitSettings, lineCount: Int = ResponseRateLimit.lineCount) throws(EngineError) {
        view = try View(settings, lineCount: lineCount)
    }

    deinit {
        view.deallocate()
    }

    /// The table through a plain pointer, valid for as long as the limit exists.
    @safe
    struct View: @unchecked Sendable {
        // Sendable: everything in the memory is atomic.

        /// Buckets in a line of the processor's cache.
        private static let bucketsInLine = 8
        /// Time is counted in 64 ns, so that 42 bits are enough for three days. What is older is forgotten.
        private static let timeShift: UInt64 = 6
        private static let timeMask: UInt64 = 1 << 42 - 1
        private static let second: UInt64 = 1_000_000_000 >> timeShift

        private let block: UnsafeMutableRawPointer
        private let buckets: UnsafeMutablePointer<Atomic<UInt64>>
        private let lineMask: UInt64
        private let key: SipHash.Key
        /// The time in which a bucket gets a token.
        private let interval: UInt64
        private let slip: UInt64
        /// Whether clients on loopback are limited too.
        let limitsLoopback: Bool

        fileprivate init(_ settings: ResponseRateLimitSettings, lineCount: Int) throws(EngineError) {
            // Unsafe: zero octets are valid atomic zeros, and mean buckets that are full. The system provides the
            // memory on first use; there is one line more than are used, because they begin at the first whole one.
            // Freed by deallocate().
            guard let block = unsafe calloc(lineCount + 1, 64) else { throw .resourceExhausted("memory") }
            unsafe self.block = block
            let start = unsafe block.alignedUp(toMultipleOf: 64)
            unsafe buckets = start.bindMemory(to: Atomic<UInt64>.self, capacity: lineCount * Self.bucketsInLine)
            lineMask = UInt64(lineCount - 1)
            var random = SystemRandom()
            key = SipHash.Key(low: random.next(), high: random.next())
            interval = max(Self.second / UInt64(max(settings.responsesPerSecond, 1)), 1)
            slip = UInt64(min(max(settings.slip, 0), 15))
            limitsLoopback = settings.limitsLoopback
        }

        fileprivate func deallocate() { unsafe CEvent.free(block) }

        /// Takes a token for a response.
        ///
        /// - Parameters:
        ///   - hash: what makes it equal to others of its kind.
        ///   - now: may be some milliseconds earlier than another worker's.
        @inline(never)
        func check(_ client: IPAddress, _ kind: Kind, _ hash: UInt64, now: MonotonicTime) -> Verdict {
            if !limitsLoopback, client.unmapped.isLoopback { return .send }
            var sip = SipHash(key: key)
            sip.combine(client.limitedPrefix << 8 | UInt64(kind.rawValue))
            sip.combine(hash)
            let place = sip.finalize()
            let line = Int(truncatingIfNeeded: place & lineMask) &* Self.bucketsInLine
            let tag = place >> 46
            let now = UInt64(bitPattern: now.nanoseconds) >> Self.timeShift
            while true {
                let (index, word) = find(tag, in: line, now)
                let isOwn = word >> 46 == tag
                let lead = isOwn ? Self.lead(word, now) : 0
                // How many were dropped since one was truncated; in bits 42–45, between the tag and the time.
                let dropped = isOwn ? word >> 42 & 0xF : 0
                let next: UInt64
                let verdict: Verdict
                if lead &+ interval <= Self.second {
                    next = tag << 46 | dropped << 42 | (now &+ lead &+ interval) & Self.timeMask
                    verdict = .send
                } else {
                    let isSlipped = slip > 0 && dropped &+ 1 >= slip
                    next = tag << 46 | (isSlipped ? 0 : (dropped &+ 1) & 0xF) << 42 | word & Self.timeMask
                    verdict = isSlipped ? .truncate : .drop
                }
                // Unsafe: `index` is one of the line's.
                if unsafe buckets[index].weakCompareExchange(
                    expected: word, desired: next, ordering: .relaxed
                ).exchanged {
                    return verdict
                }
            }
        }

        /// The bucket with this tag, or else the one that is fullest.
        @inline(__always)
        private func find(_ tag: UInt64, in line: Int, _ now: UInt64) -> (index: Int, word: UInt64) {
            var fullest = line
            var fullestWord: UInt64 = 0
            var least = UInt64.max
            for index in line..<(line &+ Self.bucketsInLine) {
                // Unsafe: the line has this many places.
                let word = unsafe buckets[index].load(ordering: .relaxed)
                if word >> 46 == tag { return (index, word) }
                let lead = Self.lead(word, now)
                if lead < least { (fullest, fullestWord, least) = (index, word, lead) }
            }
            return (fullest, fullestWord)
        }

        /// How long a bucket needs to be full again. Another worker's clock may be ahead; times beyond that are from
        /// buckets that nobody has used for days.
        @inline(__always)
        private static func lead(_ word: UInt64, _ now: UInt64) -> UInt64 {
            let difference = (word &- now) & timeMask
            return difference <= 2 &* second ? difference : 0
        }
    }
}

extension IPAddress {
    /// The octets of the network in which clients count as one: /24, or /56 of IPv6, as in BIND and Knot.
    @inline(__always)
    var limitedPrefix: UInt64 {
        switch self {
        case .v4(let bits): UInt64(bits >> 8)
        case .v6(0, let low) where low >> 32 == 0xFFFF: low >> 8 & 0xFF_FFFF
        // No IPv6 network is below 2^32 here: those addresses are not in use.
        case .v6(let high, _): high >> 8
        }
    }
}
