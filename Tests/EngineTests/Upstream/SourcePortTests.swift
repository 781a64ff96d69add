import Testing

@testable import Engine

/// The values that a forger has to guess are drawn evenly.
struct SourcePortTests {
    @Test func `each port from 10,240 on is drawn as often as any other`() {
        var random = SeededRandom(1)
        let (parts, draws) = (54, 540_000)
        // 54 parts of 1,024 ports each.
        var counts = [Int](repeating: 0, count: parts)
        for _ in 0..<draws {
            let port = SourcePort.draw(&random)
            #expect(port >= 10240)
            counts[Int(port - 10240) / 1024] += 1
        }
        // 10,000 draws for each part, with a standard deviation of 99.
        #expect(counts.allSatisfy { (9500...10500).contains($0) }, "\(counts)")
    }

    @Test func `the first port and the last are among them`() {
        var random = SeededRandom(2)
        var seen = Set<UInt16>()
        for _ in 0..<1_000_000 { seen.insert(SourcePort.draw(&random)) }
        #expect(seen.min() == 10240 && seen.max() == 65535 && seen.count == 55296)
    }

    @Test func `of the eligible elements each is drawn as often as any other, wherever it stands`() {
        var random = SeededRandom(3)
        // One eligible element stands behind many that are not.
        let elements = [1, 2, 3] + [Int](repeating: 0, count: 60) + [4]
        var counts: [Int: Int] = [:]
        for _ in 0..<40_000 { counts[elements.drawn(&random) { $0 > 0 } ?? 0, default: 0] += 1 }
        #expect(counts.keys.sorted() == [1, 2, 3, 4])
        #expect(counts.values.allSatisfy { (9500...10500).contains($0) }, "\(counts)")
        #expect(elements.drawn(&random) { $0 > 4 } == nil && [Int]().drawn(&random) { _ in true } == nil)
    }
}
