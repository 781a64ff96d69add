extension ValueKind where Value == Duration {
    /// A length of time such as `500ms`, `5s`, `2m` or `1h`.
    ///
    /// - Parameter wholeSeconds: whether `500ms` is refused, for times that DNS counts in seconds.
    static func duration(_ range: ClosedRange<Duration>, wholeSeconds: Bool = false) -> Self {
        let whole = wholeSeconds ? ", whole seconds" : ""
        let bounds = "\(range.lowerBound.configurationText)–\(range.upperBound.configurationText)"
        return ValueKind(allowed: "a duration, \(bounds)\(whole)", acceptsQuotes: true) { text throws(InvalidValue) in
            guard let (count, unit) = split(text) else {
                throw InvalidValue("is not a duration: a whole number with ms, s, m or h, such as 500ms, 5s or 2m")
            }
            // A count that overflows is above every range.
            let (milliseconds, overflow) = (Int64(count) ?? .max).multipliedReportingOverflow(by: unit.milliseconds)
            let duration = Duration.milliseconds(overflow ? Int64.max : milliseconds)
            let value = try checked(duration, in: range, format: \.configurationText)
            if wholeSeconds, value.components.attoseconds != 0 {
                throw InvalidValue("is not a number of whole seconds")
            }
            return value
        } format: {
            $0.configurationText
        }
    }

    /// The digits and the unit in a duration's text.
    private static func split(_ text: String) -> (count: Substring, unit: DurationUnit)? {
        let count = text.prefix { $0.isASCII && $0.isWholeNumber }
        guard !count.isEmpty, let unit = DurationUnit(rawValue: String(text[count.endIndex...])) else { return nil }
        return (count, unit)
    }
}

/// The units of durations, largest first.
private enum DurationUnit: String, CaseIterable {
    case hours = "h"
    case minutes = "m"
    case seconds = "s"
    case milliseconds = "ms"

    var milliseconds: Int64 {
        switch self {
        case .hours: 3_600_000
        case .minutes: 60_000
        case .seconds: 1000
        case .milliseconds: 1
        }
    }
}

extension Duration {
    /// The duration in the largest unit that needs no fraction: `90s`, `2m`. Fractions of a millisecond are dropped.
    public var configurationText: String {
        if self == .zero { return "0s" }
        let unit = DurationUnit.allCases.first { milliseconds.isMultiple(of: $0.milliseconds) } ?? .milliseconds
        return "\(milliseconds / unit.milliseconds)\(unit.rawValue)"
    }
}
