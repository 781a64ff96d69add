/// Finds out whether an upstream leads back to this server. Each question would then go round until its time is up.
/// Pure: it is told what happens.
///
/// The upstream is asked for a name that nobody can guess (``LoopName``). If a query for it arrives here, the upstream
/// leads back, or a server that it asks does. It no longer leads back once it answers such a query that has not arrived
/// here.
struct LoopCheck {
    /// After this many checks in a row that were neither answered nor came back, an upstream no longer counts as
    /// leading back. Where the root servers can't be reached, there may be no answer for names that don't exist.
    static let maximumSilence = 2

    private(set) var leadsBack = false
    private var number: UInt64?
    private var isUnderWay = false
    private var hasReturned = false
    private var silentCount = 0

    /// Whether the upstream is to be checked, whatever else is known about it: at first, and as long as it leads back.
    var isDue: Bool { number == nil || leadsBack }

    /// Notes that the upstream is asked for the name of this number.
    ///
    /// - Returns: `false` if it is being asked already.
    mutating func begin(_ number: UInt64) -> Bool {
        guard !isUnderWay else { return false }
        self.number = number
        isUnderWay = true
        hasReturned = false
        return true
    }

    /// Notes that a query for the name of a number has arrived here.
    ///
    /// - Returns: whether it belongs to this check, even if that has ended.
    mutating func returned(_ number: UInt64) -> Bool {
        guard number == self.number else { return false }
        hasReturned = true
        leadsBack = true
        silentCount = 0
        return true
    }

    /// Notes that the check has ended.
    mutating func end(isAnswered: Bool) {
        isUnderWay = false
        guard leadsBack, !hasReturned else { return }
        silentCount += 1
        guard isAnswered || silentCount >= Self.maximumSilence else { return }
        leadsBack = false
        silentCount = 0
    }
}
