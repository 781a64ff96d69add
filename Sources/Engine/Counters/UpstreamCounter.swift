/// What is counted of each upstream, one row each: status, metrics and the API's description follow from it.
public enum UpstreamCounter: String, CaseIterable, Sendable {
    case queries, answers, timeouts, errors, guesses

    /// What it counts, in one sentence.
    public var help: String {
        switch self {
        case .queries: "Queries sent to an upstream."
        case .answers: "Its useful answers."
        case .timeouts: "Queries not answered in time."
        case .errors: "SERVFAIL, REFUSED and similar answers, malformed ones, and refused connections."
        case .guesses: "Ports at which somebody tried to guess its answers."
        }
    }
}

extension UpstreamStatistics {
    /// The present value of a counter.
    public subscript(counter: UpstreamCounter) -> UInt64 {
        switch counter {
        case .queries: queries
        case .answers: answers
        case .timeouts: timeouts
        case .errors: errors
        case .guesses: guesses
        }
    }
}
