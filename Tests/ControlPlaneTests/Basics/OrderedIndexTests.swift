import Testing

@testable import ControlPlane

@Suite struct OrderedIndexTests {
    private func all(_ index: SequenceIndex, after: UInt64? = nil) -> [UInt64] {
        var found: [UInt64] = []
        index.forEach(after: after) { entry in
            found.append(entry.sequence)
            return true
        }
        return found
    }

    @Test func `entries come in the order of their numbers, however they were added and removed`() {
        var generator = SplitMix64(seed: 7)
        var index = SequenceIndex()
        var expected: Set<UInt64> = []
        for step in 0..<20_000 {
            if step % 3 == 2, let victim = expected.randomElement(using: &generator) {
                index.remove(victim)
                expected.remove(victim)
            } else {
                let number = UInt64.random(in: 0..<1_000_000, using: &generator)
                if expected.insert(number).inserted { index.insert(.init(sequence: number, id: "\(number)")) }
            }
        }
        #expect(index.count == expected.count)
        #expect(all(index) == expected.sorted())
        for start in [0, 1, 499_999, 999_998] as [UInt64] {
            #expect(all(index, after: start) == expected.filter { $0 > start }.sorted())
        }
    }

    @Test func `names come in their order, also after one that is gone`() {
        var generator = SplitMix64(seed: 11)
        var index = NameIndex()
        var expected: Set<String> = []
        for _ in 0..<5000 {
            let name = String(Int.random(in: 0..<3000, using: &generator), radix: 36)
            if expected.insert(name).inserted {
                index.insert(NameEntry(name: name))
            } else {
                index.remove(name)
                expected.remove(name)
            }
        }
        for start in [nil, "", "a", "1zz", "zzzz"] as [String?] {
            var found: [String] = []
            index.forEach(after: start) { entry in
                found.append(entry.name)
                return true
            }
            #expect(found == expected.sorted().filter { name in start.map { $0 < name } ?? true })
        }
    }

    @Test func `removing what is not there changes nothing`() {
        var index = SequenceIndex()
        index.remove(1)
        index.insert(.init(sequence: 5, id: "five"))
        index.remove(4)
        index.remove(6)
        #expect(all(index) == [5])
        #expect(all(index, after: .max) == [])
    }

    @Test func `an index that was emptied can be filled again`() {
        var index = SequenceIndex()
        for number in 1...2000 as ClosedRange<UInt64> { index.insert(.init(sequence: number, id: "")) }
        for number in 1...2000 as ClosedRange<UInt64> { index.remove(number) }
        #expect(index.count == 0)
        index.insert(.init(sequence: 1, id: "again"))
        #expect(all(index) == [1])
    }
}

/// A random generator that repeats itself (Steele, Lea, Flood 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
