/// Networks whose clients may do something. A lookup allocates nothing and counts no reference.
@safe
final class AccessList: Sendable {
    /// For lookups with ``View/contains(_:)``.
    let view: View

    /// One network as numbers: an address is in it if its bits under the mask equal these.
    private struct Entry: BitwiseCopyable {
        var isIPv4: Bool
        var high: UInt64
        var low: UInt64
        var highMask: UInt64
        var lowMask: UInt64

        init(_ network: IPNetwork) {
            let length = network.prefixLength
            switch network.address {
            case .v4(let bits):
                isIPv4 = true
                (high, low) = (0, UInt64(bits))
                (highMask, lowMask) = (0, UInt64(~(UInt32.max >> length)))
            case .v6(let upper, let lower):
                isIPv4 = false
                (high, low) = (upper, lower)
                // Swift's >> gives 0 for a shift by the whole width.
                (highMask, lowMask) = (~(UInt64.max >> min(length, 64)), ~(UInt64.max >> max(length - 64, 0)))
            }
        }
    }

    /// Reads the networks through a plain pointer, valid for as long as the list exists.
    @safe
    struct View: @unchecked Sendable {
        // Sendable: the memory is never written while the list exists.
        private let entries: UnsafeMutablePointer<Entry>
        private let count: Int

        fileprivate init(_ networks: [IPNetwork]) {
            count = networks.count
            unsafe entries = .allocate(capacity: max(networks.count, 1))
            for (index, network) in networks.enumerated() { unsafe (entries + index).initialize(to: Entry(network)) }
        }

        fileprivate func deallocate() { unsafe entries.deallocate() }

        /// Whether an address is in one of the networks.
        @inline(__always)
        func contains(_ address: IPAddress) -> Bool {
            let isIPv4: Bool
            let high: UInt64
            let low: UInt64
            switch address {
            case .v4(let bits): (isIPv4, high, low) = (true, 0, UInt64(bits))
            case .v6(let upper, let lower): (isIPv4, high, low) = (false, upper, lower)
            }
            for index in 0..<count {
                // Unsafe: `count` entries were written.
                let entry = unsafe entries[index]
                if entry.isIPv4 == isIPv4, high & entry.highMask == entry.high, low & entry.lowMask == entry.low {
                    return true
                }
            }
            return false
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
