/// Why an exchange with an upstream has ended before an answer was read.
enum ExchangeEnd: Equatable {
    /// The upstream can't be reached.
    case unreachable
    /// Somebody is guessing the query's ID, and may find it: an answer is no longer believed.
    case guessed
    /// The connection has ended. It may have carried answers to other queries before, as `hasAnswered` tells.
    case connectionEnded(hasAnswered: Bool)
    /// The answer is so long that there is no time to read it before the deadline.
    case tooLong
    /// The answer is long, and nobody needs it any longer: it was not read.
    case unwanted
}
