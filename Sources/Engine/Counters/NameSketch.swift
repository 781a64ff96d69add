/// The questions asked most, in memory that never grows whatever is asked. Pure: the caller has the random numbers.
///
/// It is a table of small sets, in which a question's hash chooses the set. Where a set is full, a question that is not
/// in it takes the place of the one with the lowest count only by chance: with the probability of its own weight over
/// both (randomized admission). So a flood of random names, each asked once, hardly ever displaces a name that is asked
/// often, and a name that begins to be asked often gets in.
struct NameSketch: Sendable {
    /// The number of sets; a power of two.
    private static let setCount = 64
    /// The number of questions in a set.
    private static let wayCount = 8
    /// The most questions there can be.
    static let capacity = setCount * wayCount

    private struct Entry: Sendable {
        var hash: UInt64 = 0
        var type: UInt16 = 0
        var nameByteCount: UInt8 = 0
        /// By this count it competes for its place; 0: the place is free.
        var count: UInt64 = 0
        /// The part of the count that it has inherited with its place.
        var inherited: UInt64 = 0
    }

    private var entries = [Entry](repeating: Entry(), count: capacity)
    /// A place of ``NameStore/stride`` octets for each entry's name.
    private var names = NameStore(count: capacity)

    /// Counts a question.
    ///
    /// - Parameters:
    ///   - name: in wire form; at most 255 octets.
    ///   - hash: of the name, without regard to case, and the type.
    ///   - weight: the number of queries that it stands for.
    ///   - random: uniformly distributed.
    mutating func count(_ name: RawSpan, type: UInt16, hash: UInt64, weight: UInt64, random: UInt64) {
        let start = Int(truncatingIfNeeded: hash >> 32) & (Self.setCount - 1) &* Self.wayCount
        var least = start
        for place in start..<(start &+ Self.wayCount) {
            if entries[place].hash == hash, entries[place].type == type, entries[place].count > 0 {
                entries[place].count &+= weight
                return
            }
            if entries[place].count < entries[least].count { least = place }
        }
        let inherited = entries[least].count
        // The upper 32 bits of the random number, as a fraction of the sum.
        guard
            (random >> 32).multipliedReportingOverflow(by: min(inherited &+ weight, UInt64(UInt32.max))).partialValue
                >> 32 < weight
        else { return }
        names.store(name, at: least)
        entries[least] = Entry(
            hash: hash, type: type, nameByteCount: UInt8(truncatingIfNeeded: min(name.byteCount, 255)),
            count: inherited &+ weight, inherited: inherited)
    }

    /// Forgets everything.
    mutating func removeAll() {
        for place in entries.indices { entries[place] = Entry() }
    }

    /// Calls `body` with each question: its name in wire form, its type, and how many queries were counted since it has
    /// its place.
    func forEach(_ body: (_ name: [UInt8], _ type: UInt16, _ count: UInt64) -> Void) {
        for place in entries.indices where entries[place].count > 0 {
            let entry = entries[place]
            body(names.name(at: place, count: Int(entry.nameByteCount)), entry.type, entry.count &- entry.inherited)
        }
    }
}

/// Places for names, each with room for the longest one.
struct NameStore: Sendable {
    /// The octets of a place: a name has 255 at most (RFC 1035 §2.3.4).
    private static let stride = 256

    private var octets: [UInt8]

    init(count: Int) {
        octets = [UInt8](repeating: 0, count: count * Self.stride)
    }

    /// Writes a name in lower case.
    mutating func store(_ name: RawSpan, at place: Int) {
        let start = place &* Self.stride
        for offset in 0..<min(name.byteCount, Self.stride &- 1) {
            let octet = name.octet(at: offset) ?? 0
            octets[start &+ offset] = (0x41...0x5A).contains(octet) ? octet | 0x20 : octet
        }
    }

    /// A copy of the name.
    func name(at place: Int, count: Int) -> [UInt8] {
        Array(octets[(place &* Self.stride)..<(place &* Self.stride &+ count)])
    }
}
