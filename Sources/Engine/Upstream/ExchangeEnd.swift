/// Why an exchange with an upstream has ended without an answer that was read.
enum ExchangeEnd: Equatable {
    /// There is no way to it.
    case unreachable
    /// Somebody guesses at its ID, and may find it: its answer is not believed any longer.
    case guessed
    /// Its connection has ended, on which answers to other queries may have come before.
    case connectionEnded(hasAnswered: Bool)
    /// The answer is so long that there is no time to read it before the deadline.
    case tooLong
    /// The answer is long, and nobody wants it any longer: it was not read.
    case unwanted
}
