/// The order in which entries of a cache are evicted: SIEVE (Zhang et al., NSDI 2024). Pure: it knows only slot
/// numbers.
///
/// New entries come in at the head. When room is needed, a hand moves from the tail towards the head: an entry that was
/// asked for since the hand last passed is spared once, and the first one that was not is evicted. Entries that nobody
/// asks for a second time go soon, so that a scan of random names leaves the hot ones alone, and a hit only sets a
/// mark.
struct SieveList {
    private struct Link {
        /// Towards the head.
        var newer = none
        /// Towards the tail.
        var older = none
    }

    private static let none = UInt32.max

    private var links: [Link] = []
    private var head = none
    private var tail = none
    private var hand = none
    /// The number of entries.
    private(set) var count = 0

    /// Adds an entry at the head; `slot` must not be in the list.
    mutating func insert(_ slot: UInt32) {
        while links.count <= Int(slot) { links.append(Link()) }
        links[Int(slot)] = Link(newer: Self.none, older: head)
        if head == Self.none { tail = slot } else { links[Int(head)].newer = slot }
        head = slot
        count += 1
    }

    /// Removes an entry; `slot` must be in the list.
    mutating func remove(_ slot: UInt32) {
        let link = links[Int(slot)]
        if hand == slot { hand = link.newer }
        if link.newer == Self.none { head = link.older } else { links[Int(link.newer)].older = link.older }
        if link.older == Self.none { tail = link.newer } else { links[Int(link.older)].newer = link.newer }
        count -= 1
    }

    /// Removes and returns the entry that is to be evicted.
    ///
    /// - Parameters:
    ///   - spared: an entry that stays in any case: the one that room is made for.
    ///   - wasVisited: whether an entry was asked for since the last call for it.
    /// - Returns: `nil` if there is no other entry than `spared`.
    mutating func evict(sparing spared: UInt32, wasVisited: (UInt32) -> Bool) -> UInt32? {
        guard count > 1 || (count == 1 && head != spared) else { return nil }
        // Two rounds at most: in the first all marks are cleared.
        for _ in 0...(2 * count) {
            let slot = hand == Self.none ? tail : hand
            hand = links[Int(slot)].newer
            if slot == spared || wasVisited(slot) { continue }
            remove(slot)
            return slot
        }
        // Others have asked for all of them meanwhile: the oldest goes.
        let slot = tail == spared ? links[Int(tail)].newer : tail
        remove(slot)
        return slot
    }
}
