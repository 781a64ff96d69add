/// Statuses of HTTP responses as text: `200-299`, `200`, `200,204,300-399`.
struct ExpectedStatuses: Sendable, Equatable {
    /// 200–299 (RFC 9110 §15.3).
    static let successful = ExpectedStatuses(ranges: [200...299])
    private static let maximumRanges = 16

    /// 1–16 ranges within 100–599, in the order given.
    private let ranges: [ClosedRange<Int>]

    private init(ranges: [ClosedRange<Int>]) {
        self.ranges = ranges
    }

    /// Reads ranges and single statuses, separated by commas; `nil` for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: ",", maxSplits: Self.maximumRanges, omittingEmptySubsequences: false)
        guard parts.count <= Self.maximumRanges else { return nil }
        var ranges: [ClosedRange<Int>] = []
        for part in parts {
            let bounds = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = bounds.first.flatMap(Self.status), let last = bounds.last.flatMap(Self.status),
                first <= last
            else { return nil }
            ranges.append(first...last)
        }
        self.ranges = ranges
    }

    func contains(_ status: Int) -> Bool { ranges.contains { $0.contains(status) } }

    private static func status(_ text: Substring) -> Int? {
        let digits = text.drop { $0 == " " }
        guard digits.utf8.count == 3, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let status = Int(digits), (100...599).contains(status)
        else { return nil }
        return status
    }
}

extension ExpectedStatuses: CustomStringConvertible {
    /// The text, in the form that ``init(_:)`` reads.
    var description: String {
        ranges.map { $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}
