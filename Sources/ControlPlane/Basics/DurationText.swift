/// The units of durations in text, largest first.
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
    /// Reads a length of time such as `500ms`, `5s`, `2m` or `1h`; `nil` for anything else. One that is too long for
    /// the type becomes the longest.
    public init?(configurationText text: String) {
        let count = text.prefix { $0.isASCII && $0.isWholeNumber }
        guard !count.isEmpty, let unit = DurationUnit(rawValue: String(text[count.endIndex...])) else { return nil }
        let (milliseconds, overflow) = (Int64(count) ?? .max).multipliedReportingOverflow(by: unit.milliseconds)
        self = .milliseconds(overflow ? Int64.max : milliseconds)
    }

    /// The duration in the largest unit that needs no fraction: `90s`, `2m`. Fractions of a millisecond are dropped.
    public var configurationText: String {
        if self == .zero { return "0s" }
        let unit = DurationUnit.allCases.first { milliseconds.isMultiple(of: $0.milliseconds) } ?? .milliseconds
        return "\(milliseconds / unit.milliseconds)\(unit.rawValue)"
    }
}
