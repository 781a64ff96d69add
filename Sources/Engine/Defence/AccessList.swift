/// Networks whose clients may do something: any number of them. A lookup allocates nothing and counts no reference.
///
/// The networks are kept as intervals of addresses that do not touch, in order. A directory of equal parts of the range
/// from the first to the last says which intervals begin in each, so that few have to be looked at: with 50,000
/// networks it takes as long as with five, but for what is not in the processor's cache.
@safe
final class AccessList: Sendable {
    /// For lookups with ``View/contains(_:)``.
    let view: View

    /// Reads the networks through plain pointers, valid for as long as the list exists.
    struct View: Sendable {
        private let v4: AddressIntervals
        private let v6: AddressIntervals

        fileprivate init(_ networks: [IPNetwork]) {
            v4 = AddressIntervals(networks.filter(\.address.isIPv4).map(AddressIntervals.Interval.init))
            v6 = AddressIntervals(networks.filter { !$0.address.isIPv4 }.map(AddressIntervals.Interval.init))
        }

        fileprivate func deallocate() {
            v4.deallocate()
            v6.deallocate()
        }

        /// Whether an address is in one of the networks. An IPv4-mapped one may be in a network of either family.
        @inline(__always)
        func contains(_ address: IPAddress) -> Bool {
            switch address {
            case .v4(let bits): v4.contains(UInt64(bits) << 32, 0)
            case .v6(let high, let low):
                v6.contains(high, low) || address.isIPv4Mapped && v4.contains(low << 32, 0)
            }
        }
    }

    /// - Parameter networks: may be of both families, in any order.
    init(_ networks: [IPNetwork]) {
        view = View(networks)
    }

    deinit {
        view.deallocate()
    }
}

/// Intervals of addresses of one family. An IPv4 address is in the upper 32 of 128 bits.
@safe
private struct AddressIntervals: @unchecked Sendable {
    // Sendable: the memory is never written while the list exists.

    /// The addresses from the first to the last.
    struct Interval: BitwiseCopyable {
        var firstHigh: UInt64
        var firstLow: UInt64
        var lastHigh: UInt64
        var lastLow: UInt64

        init(_ network: IPNetwork) {
            switch network.address {
            case .v4(let bits): (firstHigh, firstLow) = (UInt64(bits) << 32, 0)
            case .v6(let high, let low): (firstHigh, firstLow) = (high, low)
            }
            // Swift's >> gives 0 for a shift by the whole width.
            lastHigh = firstHigh | UInt64.max >> min(network.prefixLength, 64)
            lastLow = firstLow | UInt64.max >> max(network.prefixLength - 64, 0)
        }

        @inline(__always)
        func begins(behind high: UInt64, _ low: UInt64) -> Bool {
            firstHigh > high || firstHigh == high && firstLow > low
        }

        @inline(__always)
        func ends(before high: UInt64, _ low: UInt64) -> Bool {
            lastHigh < high || lastHigh == high && lastLow < low
        }
    }

    /// The directory has no more parts than 2 to this power: 256 KiB.
    private static let maximumDirectoryBits = 16

    private let intervals: UnsafeMutablePointer<Interval>
    private let count: Int
    /// How many intervals begin before each part.
    private let directory: UnsafeMutablePointer<UInt32>
    private let lowest: UInt64
    private let highest: UInt64
    /// A part has 2 to this power of upper halves.
    private let shift: UInt64

    init(_ networks: [Interval]) {
        let merged = Self.merged(networks)
        count = merged.count
        lowest = merged.first?.firstHigh ?? 0
        highest = merged.last?.lastHigh ?? 0
        let wantedBits = min(Int.bitWidth - merged.count.leadingZeroBitCount, Self.maximumDirectoryBits)
        let range = highest - lowest
        let shift = UInt64(max(UInt64.bitWidth - range.leadingZeroBitCount - wantedBits, 0))
        self.shift = shift
        let partCount = Int(range >> shift) + 1
        // Unsafe in all that follows: as many elements as are written; freed by deallocate().
        unsafe intervals = .allocate(capacity: max(merged.count, 1))
        for (index, interval) in merged.enumerated() { unsafe (intervals + index).initialize(to: interval) }
        unsafe directory = .allocate(capacity: partCount + 1)
        var begun = 0
        for part in 0...partCount {
            while begun < merged.count, Int((merged[begun].firstHigh - lowest) >> shift) < part { begun += 1 }
            unsafe (directory + part).initialize(to: UInt32(begun))
        }
    }

    func deallocate() {
        unsafe intervals.deallocate()
        unsafe directory.deallocate()
    }

    /// The intervals in order; those that overlap or touch are one.
    private static func merged(_ networks: [Interval]) -> [Interval] {
        let sorted = networks.sorted { $1.begins(behind: $0.firstHigh, $0.firstLow) }
        var merged: [Interval] = []
        for interval in sorted {
            guard var last = merged.last else {
                merged.append(interval)
                continue
            }
            // The address behind the last one; of all addresses there is none behind.
            let (nextLow, overflow) = last.lastLow.addingReportingOverflow(1)
            let nextHigh = last.lastHigh &+ (overflow ? 1 : 0)
            let isBehind = interval.begins(behind: nextHigh, nextLow) && !(nextHigh == 0 && nextLow == 0)
            guard !isBehind else {
                merged.append(interval)
                continue
            }
            if last.ends(before: interval.lastHigh, interval.lastLow) {
                (last.lastHigh, last.lastLow) = (interval.lastHigh, interval.lastLow)
            }
            merged[merged.count - 1] = last
        }
        return merged
    }

    /// Whether an address is in one of the intervals.
    @inline(__always)
    func contains(_ high: UInt64, _ low: UInt64) -> Bool {
        guard count > 0, high >= lowest, high <= highest else { return false }
        let part = Int(truncatingIfNeeded: (high &- lowest) >> shift)
        // Unsafe: the range has this part, and the directory one more; its elements are at most `count`.
        var begin = Int(unsafe directory[part])
        var end = Int(unsafe directory[part &+ 1])
        while begin < end {
            let middle = (begin &+ end) >> 1
            if unsafe intervals[middle].begins(behind: high, low) { end = middle } else { begin = middle &+ 1 }
        }
        // The last interval that begins at the address or before it.
        guard begin > 0 else { return false }
        return unsafe !intervals[begin &- 1].ends(before: high, low)
    }
}
