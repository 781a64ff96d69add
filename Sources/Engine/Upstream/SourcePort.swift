/// The ports from which upstreams are asked.
enum SourcePort {
    /// Lower ports belong to services.
    static let range: ClosedRange<UInt16> = 10240...(.max)

    /// Draws a port, each with the same probability, because a forger has to guess it (RFC 5452 §9.2, RFC 6056 §3.3.1).
    static func draw(_ random: inout some RandomNumberGenerator) -> UInt16 { .random(in: range, using: &random) }
}

extension Array {
    /// Draws one of the elements that fulfil a condition, each with the same probability.
    ///
    /// - Returns: `nil` if none does.
    func drawn(_ random: inout some RandomNumberGenerator, where isEligible: (Element) -> Bool) -> Element? {
        let count = count(where: isEligible)
        guard count > 0 else { return nil }
        var left = Int.random(in: 0..<count, using: &random)
        return first { element in
            guard isEligible(element) else { return false }
            left -= 1
            return left < 0
        }
    }
}
