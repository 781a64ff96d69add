/// The instances that share an address, or an address and a port, in the order of their registration.
struct InstanceTally: Sendable {
    /// Their sequence numbers, ascending.
    private var members: [UInt64] = []
    // Counts by value: thousands may share an endpoint and leave together, and must not be searched each time.
    private var weights: [UInt16: Int] = [:]
    private var priorities: [UInt16: Int] = [:]
    /// The sum of their weights.
    private(set) var weightSum = 0
    /// The highest of their weights.
    private(set) var highestWeight: UInt16 = 0
    /// The best (lowest) of their priorities.
    private(set) var bestPriority: UInt16 = 0

    /// Whether there is none.
    var isEmpty: Bool { members.isEmpty }

    /// The sequence numbers of the first two.
    var firstTwo: ArraySlice<UInt64> { members.prefix(2) }

    /// The sequence number of the first.
    var first: UInt64? { members.first }

    /// Adds an instance that is not there yet.
    mutating func insert(_ instance: PublishedInstance) {
        highestWeight = isEmpty ? instance.weight : max(highestWeight, instance.weight)
        bestPriority = isEmpty ? instance.priority : min(bestPriority, instance.priority)
        weightSum += Int(instance.weight)
        weights[instance.weight, default: 0] += 1
        priorities[instance.priority, default: 0] += 1
        members.insert(sorted: instance.sequence)
    }

    /// Removes an instance.
    mutating func remove(_ instance: PublishedInstance) {
        let position = members.position { $0 < instance.sequence }
        guard position < members.count, members[position] == instance.sequence else { return }
        members.remove(at: position)
        weightSum -= Int(instance.weight)
        // Search only if the highest or best may have changed.
        if weights.decrement(instance.weight), instance.weight == highestWeight {
            highestWeight = weights.keys.max() ?? 0
        }
        if priorities.decrement(instance.priority), instance.priority == bestPriority {
            bestPriority = priorities.keys.min() ?? 0
        }
    }
}

/// How often each TTL occurs, and the lowest of them.
struct TTLTally: Sendable {
    private var counts: [UInt32: Int] = [:]
    /// The lowest TTL; 0 if there is none.
    private(set) var lowest: UInt32 = 0

    /// Whether there is none.
    var isEmpty: Bool { counts.isEmpty }

    mutating func insert(_ ttl: UInt32) {
        lowest = isEmpty ? ttl : min(lowest, ttl)
        counts[ttl, default: 0] += 1
    }

    mutating func remove(_ ttl: UInt32) {
        guard counts.decrement(ttl), ttl == lowest else { return }
        lowest = counts.keys.min() ?? 0
    }
}

/// How often each weight occurs, and their greatest common divisor.
struct WeightTally: Sendable {
    private var counts: [UInt16: Int] = [:]
    private var greatestCommonDivisor: UInt16 = 0

    /// The greatest common divisor; 1 if all weights are 0.
    var divisor: UInt16 { max(greatestCommonDivisor, 1) }

    mutating func insert(_ weight: UInt16) {
        counts[weight, default: 0] += 1
        greatestCommonDivisor = greatestCommonDivisor.greatestCommonDivisor(with: weight)
    }

    mutating func remove(_ weight: UInt16) {
        guard counts.decrement(weight) else { return }
        // The divisor of all weights divides those that are left too, so the search may stop there.
        let lowest = greatestCommonDivisor
        greatestCommonDivisor = 0
        for weight in counts.keys {
            greatestCommonDivisor = greatestCommonDivisor.greatestCommonDivisor(with: weight)
            if greatestCommonDivisor == lowest { break }
        }
    }
}

extension Dictionary where Value == Int {
    /// Subtracts one from the count of `key`.
    ///
    /// - Returns: whether it was the last one; the key is removed then.
    fileprivate mutating func decrement(_ key: Key) -> Bool {
        guard let index = index(forKey: key) else { return false }
        values[index] -= 1
        guard values[index] <= 0 else { return false }
        remove(at: index)
        return true
    }
}

extension Array {
    /// The number of elements for which `isBefore` holds; these come before all others.
    func position(where isBefore: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension [UInt64] {
    /// Inserts a number in ascending order; it must not be there yet.
    mutating func insert(sorted number: UInt64) {
        insert(number, at: position { $0 < number })
    }

    /// Removes a number from an ascending array.
    mutating func remove(sorted number: UInt64) {
        let position = position { $0 < number }
        if position < count, self[position] == number { remove(at: position) }
    }
}
