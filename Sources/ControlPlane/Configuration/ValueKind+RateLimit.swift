extension ValueKind where Value == Configuration.ResponsesPerSecond {
    /// `auto`, or a whole number; 0: no limit.
    static var responsesPerSecond: Self {
        let number = ValueKind<Int>.integer(0...1_000_000)
        let allowed = "auto, or \(number.allowed)"
        return ValueKind(allowed: allowed, acceptsQuotes: false) { text throws(InvalidValue) in
            if text == "auto" { return .automatic }
            guard text.utf8.contains(where: isDigit) else { throw InvalidValue("is not \(allowed)") }
            let value = try number.parse(text)
            return value == 0 ? .unlimited : .limited(value)
        } format: { value in
            switch value {
            case .automatic: "auto"
            case .unlimited: "0"
            case .limited(let limit): "\(limit)"
            }
        }
    }
}
