/// Patterns (ECMA-262) of numbers and durations within limits, for the API's description.
enum DurationPattern {
    /// Decimal numbers within a range, without leading zeros, as alternatives.
    static func number(_ range: ClosedRange<Int>) -> String {
        var alternatives: [String] = []
        var low = range.lowerBound
        while low <= range.upperBound {
            // All numbers with as many digits as `low`.
            let length = String(low).count
            let longest = Int(String(repeating: "9", count: length)) ?? .max
            let high = min(longest, range.upperBound)
            alternatives += sameLength(Array(String(low)), Array(String(high)))
            low = high + 1
        }
        return alternatives.joined(separator: "|")
    }

    /// Durations within a range as text: `500ms`, `10s`, `2m` or `1h`.
    ///
    /// - Parameter wholeSeconds: whether there are no fractions of a second.
    static func text(_ range: ClosedRange<Duration>, wholeSeconds: Bool = false) -> String {
        var forms: [String] = []
        for (unit, milliseconds) in [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)] {
            let isSplit = wholeSeconds && milliseconds == 1
            let size = isSplit ? 1000 : milliseconds
            let low = (Int(range.lowerBound.milliseconds) + size - 1) / size
            let high = Int(range.upperBound.milliseconds) / size
            guard low <= high else { continue }
            forms.append("(\(number(low...high)))\(isSplit ? "000" : "")\(unit)")
        }
        return "^0*(\(forms.joined(separator: "|")))$"
    }

    /// A schema of such a duration, or of whole seconds as a number.
    ///
    /// - Parameter description: for people.
    static func schema(
        _ range: ClosedRange<Duration>, wholeSeconds: Bool = false, isNullable: Bool = true,
        default value: String? = nil, _ description: String
    ) -> String {
        let (low, high) = (range.lowerBound.components, range.upperBound.components)
        let seconds = (low.seconds + (low.attoseconds > 0 ? 1 : 0))...high.seconds
        let null = isNullable ? ", {type: 'null'}" : ""
        let bounds = "\(range.lowerBound.configurationText) to \(range.upperBound.configurationText)"
        return """
            {description: '\(description) \(bounds), or whole seconds.', anyOf: [{type: string, \
            pattern: '\(text(range, wholeSeconds: wholeSeconds))'}, {type: integer, minimum: \(seconds.lowerBound), \
            maximum: \(seconds.upperBound)}\(null)]\(value.map { ", default: \($0)" } ?? "")}
            """
    }

    /// Numbers from `low` to `high`, which have the same number of digits.
    private static func sameLength(_ low: [Character], _ high: [Character]) -> [String] {
        guard let first = low.first, let last = high.first else { return [""] }
        let (lowRest, highRest) = (Array(low.dropFirst()), Array(high.dropFirst()))
        let isWhole = lowRest.allSatisfy { $0 == "0" } && highRest.allSatisfy { $0 == "9" }
        if isWhole { return [digit(first, last) + any(lowRest.count)] }
        if first == last { return sameLength(lowRest, highRest).map { "\(first)\($0)" } }
        guard let lowDigit = first.wholeNumberValue, let highDigit = last.wholeNumberValue else { return [] }
        let nines = lowRest.map { _ in Character("9") }
        let zeros = lowRest.map { _ in Character("0") }
        var alternatives = sameLength(lowRest, nines).map { "\(first)\($0)" }
        if lowDigit + 1 < highDigit {
            alternatives.append(digit(Character("\(lowDigit + 1)"), Character("\(highDigit - 1)")) + any(lowRest.count))
        }
        alternatives += sameLength(zeros, highRest).map { "\(last)\($0)" }
        return alternatives
    }

    private static func digit(_ low: Character, _ high: Character) -> String {
        low == high ? "\(low)" : "[\(low)-\(high)]"
    }

    private static func any(_ count: Int) -> String {
        switch count {
        case 0: ""
        case 1: "[0-9]"
        default: "[0-9]{\(count)}"
        }
    }
}
