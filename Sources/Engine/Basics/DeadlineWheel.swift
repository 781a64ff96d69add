/// Elements with deadlines: a hashed timing wheel (Varghese and Lauck, 1987). Pure: time is passed in.
///
/// Adding and removing cost the same, however many elements there are. Most are removed before they are due, because
/// the answer that they wait for has come.
struct DeadlineWheel<Element> {
    /// Identifies an element that was added.
    struct Ticket: Equatable {
        // Small, because its holder must be small.
        fileprivate var place: UInt32
        fileprivate var stamp: UInt32
    }

    private struct Node {
        var element: Element?
        var time: MonotonicTime
        /// Counts the uses of this place.
        var stamp: UInt32
        var next: Int
        var previous: Int
    }

    /// Slots of a millisecond each. An element that is due after more than one round stays in its slot for several.
    private static var slotCount: Int { 4096 }
    private static var none: Int { -1 }

    private var nodes: [Node] = []
    private var firstFree = none
    /// The first place in each slot.
    private var slots = [Int](repeating: none, count: slotCount)
    /// A bit for each slot that is not empty.
    private var occupied = [UInt64](repeating: 0, count: slotCount / UInt64.bitWidth)
    /// All earlier ticks have been handled.
    private var tick = 0
    /// The number of elements.
    private(set) var count = 0

    /// All elements, in no order.
    var elements: [Element] { nodes.compactMap(\.element) }

    /// Adds an element.
    mutating func insert(_ element: Element, at time: MonotonicTime) -> Ticket {
        if count == 0 { tick = min(tick, Self.tick(of: time)) }
        let slot = max(Self.tick(of: time), tick) % Self.slotCount
        let place: Int
        if firstFree == Self.none {
            place = nodes.count
            nodes.append(Node(element: element, time: time, stamp: 0, next: Self.none, previous: Self.none))
        } else {
            place = firstFree
            firstFree = nodes[place].next
            nodes[place].element = element
            nodes[place].time = time
        }
        let first = slots[slot]
        nodes[place].next = first
        // The first node in a slot refers back to the slot.
        nodes[place].previous = Self.head(of: slot)
        if first != Self.none { nodes[first].previous = place }
        slots[slot] = place
        occupied[slot / UInt64.bitWidth] |= 1 << UInt64(slot % UInt64.bitWidth)
        count += 1
        return Ticket(place: UInt32(truncatingIfNeeded: place), stamp: nodes[place].stamp)
    }

    /// Removes an element, if it is still there.
    mutating func remove(_ ticket: Ticket) {
        let place = Int(ticket.place)
        guard nodes.indices.contains(place), nodes[place].stamp == ticket.stamp else { return }
        _ = takeOut(place)
    }

    /// Removes and returns an element that is due at `now`, if any. Of elements due in different milliseconds, the
    /// earliest comes first.
    mutating func popDue(at now: MonotonicTime) -> Element? {
        let last = Self.tick(of: now)
        // After a long sleep, every slot is handled once.
        tick = max(tick, last - Self.slotCount + 1)
        while count > 0, tick <= last {
            guard let slot = occupiedSlot(from: tick), tick + slot.distance <= last else { break }
            tick += slot.distance
            var place = slots[slot.index]
            while place != Self.none {
                if nodes[place].time <= now { return takeOut(place) }
                place = nodes[place].next
            }
            if tick == last { return nil }
            tick += 1
        }
        tick = max(tick, last)
        return nil
    }

    /// When to look again: no later than the first deadline.
    var earliest: MonotonicTime? {
        guard count > 0, let slot = occupiedSlot(from: tick) else { return nil }
        let end = MonotonicTime(nanoseconds: Int64(tick + slot.distance + 1) * Self.tickNanoseconds)
        var earliest = end
        var place = slots[slot.index]
        while place != Self.none {
            earliest = min(earliest, nodes[place].time)
            place = nodes[place].next
        }
        return earliest
    }

    private static var tickNanoseconds: Int64 { 1_000_000 }
    private static func tick(of time: MonotonicTime) -> Int { Int(time.nanoseconds / tickNanoseconds) }

    /// How the first node in a slot refers to the slot, in place of a previous node.
    private static func head(of slot: Int) -> Int { -2 - slot }

    private mutating func takeOut(_ place: Int) -> Element? {
        let (next, previous) = (nodes[place].next, nodes[place].previous)
        if next != Self.none { nodes[next].previous = previous }
        if previous >= 0 {
            nodes[previous].next = next
        } else {
            let slot = Self.head(of: previous)
            slots[slot] = next
            if next == Self.none { occupied[slot / UInt64.bitWidth] &= ~(1 << UInt64(slot % UInt64.bitWidth)) }
        }
        let element = nodes[place].element
        nodes[place].element = nil
        nodes[place].stamp &+= 1
        nodes[place].next = firstFree
        firstFree = place
        count -= 1
        return element
    }

    /// The first slot that is not empty, in the order from a tick on.
    private func occupiedSlot(from tick: Int) -> (index: Int, distance: Int)? {
        let start = tick % Self.slotCount
        let width = UInt64.bitWidth
        for step in 0...occupied.count {
            let word = (start / width + step) % occupied.count
            var bits = occupied[word]
            // In the first word only bits from the start on count; when it comes round again, only those before the
            // start.
            let before = (UInt64(1) << UInt64(start % width)) - 1
            if step == 0 { bits &= ~before } else if step == occupied.count { bits &= before }
            guard bits != 0 else { continue }
            let index = word * width + bits.trailingZeroBitCount
            return (index, (index - start + Self.slotCount) % Self.slotCount)
        }
        return nil
    }
}
