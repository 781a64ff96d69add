import Testing

@testable import ControlPlane

@Suite struct DurationPatternTests {
    private func matches(_ text: String, _ pattern: String) throws -> Bool {
        try Regex(pattern).wholeMatch(in: text) != nil
    }

    @Test(arguments: [0...0, 0...9, 1...65535, 7...1203, 99...100, 100...999, 1999...2001, 1...2_592_000])
    func `a number matches if it is in the range`(range: ClosedRange<Int>) throws {
        let pattern = "^(\(DurationPattern.number(range)))$"
        let near = [range.lowerBound, range.upperBound].flatMap { ($0 - 12)...($0 + 12) }
        for number in Array(0...130) + near + [999, 1000, 1200, 9999, 10_000, 19_999, 20_000, 99_999, 1_000_000]
        where number >= 0 {
            #expect(try matches("\(number)", pattern) == range.contains(number), "\(number) \(pattern)")
        }
        #expect(try !matches("", pattern) && !matches("-1", pattern) && !matches("1x", pattern))
    }

    @Test func `a duration matches if the server takes it`() throws {
        let ranges: [ClosedRange<Duration>] = [
            .seconds(1)...(.seconds(3600)), .milliseconds(1)...(.seconds(600)), .zero...(.seconds(5)),
        ]
        for range in ranges {
            let pattern = DurationPattern.text(range)
            for number in [
                0, 1, 4, 5, 6, 9, 10, 11, 59, 60, 61, 599, 600, 601, 999, 1000, 3600, 3601, 600_001, 3_600_000,
            ] {
                for unit in ["ms", "s", "m", "h", "d", ""] {
                    for text in ["\(number)\(unit)", "0\(number)\(unit)"] {
                        let isTaken = Duration(configurationText: text).map { range.contains($0) } ?? false
                        #expect(try matches(text, pattern) == isTaken, "\(text) \(range)")
                    }
                }
            }
        }
        let whole = DurationPattern.text(.seconds(1)...(.seconds(86_400)), wholeSeconds: true)
        for (text, isTaken) in [("1000ms", true), ("1500ms", false), ("86400s", true), ("24h", true), ("25h", false)] {
            #expect(try matches(text, whole) == isTaken, "\(text)")
        }
    }
}
