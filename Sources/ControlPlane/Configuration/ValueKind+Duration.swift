extension ValueKind where Value == Duration {
    /// A length of time such as `500ms`, `5s`, `2m` or `1h`.
    ///
    /// - Parameter wholeSeconds: whether `500ms` is refused, for times that DNS counts in seconds.
    static func duration(_ range: ClosedRange<Duration>, wholeSeconds: Bool = false) -> Self {
        let whole = wholeSeconds ? ", whole seconds" : ""
        let bounds = "\(range.lowerBound.configurationText)–\(range.upperBound.configurationText)"
        return ValueKind(allowed: "a duration, \(bounds)\(whole)", acceptsQuotes: true) { text throws(InvalidValue) in
            guard let duration = Duration(configurationText: text) else {
                throw InvalidValue("is not a duration: a whole number with ms, s, m or h, such as 500ms, 5s or 2m")
            }
            // A count that overflows is above every range.
            let value = try checked(duration, in: range, format: \.configurationText)
            if wholeSeconds, value.components.attoseconds != 0 {
                throw InvalidValue("is not a number of whole seconds")
            }
            return value
        } format: {
            $0.configurationText
        }
    }
}
