import Testing

@testable import ControlPlane

@Suite struct SequenceSetTests {
    @Test func `numbers come and go in any order as in a sorted array`() {
        var set = SequenceSet()
        var model: Set<UInt64> = []
        var state: UInt64 = 1
        for step in 0..<30_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let number = state >> 33 % 4000
            // Grows at first, shrinks later.
            if model.contains(number) || Int(state >> 20 % 30_000) < step - 15_000 {
                set.remove(number)
                model.remove(number)
            } else {
                set.insert(number)
                model.insert(number)
            }
            #expect(set.count == model.count)
            if step % 500 == 0 { #expect(Array(set.numbers) == model.sorted()) }
        }
        for number in model {
            set.remove(number)
            set.remove(number)
        }
        #expect(set.count == 0 && Array(set.numbers).isEmpty)
        for number in 0..<2000 as Range<UInt64> { set.insert(number) }
        #expect(Array(set.numbers) == Array(0..<2000))
    }
}
