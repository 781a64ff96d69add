/// Whether an upstream leads back to this server, so that each question would go round until its time is up. Pure: told
/// what happens.
///
/// The upstream is asked for a name that nobody can guess (``LoopName``). When a query for it arrives here, the
/// upstream leads back, or whom it asks does. It does so no longer when it answers such a query that has not arrived.
struct LoopCheck {
    /// Checks in a row that were neither answered nor came back, after which it does not lead back any longer: where
    /// nobody can reach the root's servers, names that do not exist may have no answer.
    static let maximumSilence = 2

    private(set) var leadsBack = false
    private var number: UInt64?
    private var isUnderWay = false
    private var hasReturned = false
    private var silentCount = 0

    /// Whether it is to be checked, whatever else is known of the upstream: first of all, and until it leads back no
    /// longer.
    var isDue: Bool { number == nil || leadsBack }

    /// The upstream is asked for the name of this number.
    ///
    /// - Returns: `false` when it is being asked already.
    mutating func begin(_ number: UInt64) -> Bool {
        guard !isUnderWay else { return false }
        self.number = number
        isUnderWay = true
        hasReturned = false
        return true
    }

    /// A query for the name of a number has arrived here.
    ///
    /// - Returns: whether it is this check's, also when that has ended.
    mutating func returned(_ number: UInt64) -> Bool {
        guard number == self.number else { return false }
        hasReturned = true
        leadsBack = true
        silentCount = 0
        return true
    }

    /// The check has ended.
    mutating func end(isAnswered: Bool) {
        isUnderWay = false
        guard leadsBack, !hasReturned else { return }
        silentCount += 1
        guard isAnswered || silentCount >= Self.maximumSilence else { return }
        leadsBack = false
        silentCount = 0
    }
}
