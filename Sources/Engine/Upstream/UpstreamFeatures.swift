/// What an upstream can do, learned from its answers. Pure: told what happened and when.
///
/// What it can't do is believed for a while only: another program may answer there by then, or somebody may have forged
/// what it was learned from.
struct UpstreamFeatures {
    /// Whether an upstream repeats the letters of a name in their case (draft-vixie-dnsext-dns0x20).
    enum CasePreservation { case unknown, yes, no }

    /// How long it is remembered that an upstream can't do something. To find that out again costs a round trip.
    static let memory = Nanoseconds.seconds(300)
    /// Answers in a row over UDP in another case after which that is believed, though over TCP the case is kept:
    /// something on the way changes it.
    static let maximumCaseDoubts = 3
    /// Connections in a row without an answer, after which none is tried for a while.
    static let maximumFailedConnections = 3
    /// That while.
    static let connectionPause = Nanoseconds.seconds(1)

    /// Whether letters may have a case by chance: not learned, but configured.
    var mayMixCase = true
    private var hasPreservedCase = false
    private var noCaseUntil = MonotonicTime.distantPast
    /// Answers in a row over UDP in another case, which it keeps over TCP.
    private(set) var caseDoubts = 0
    private var noEDNSUntil = MonotonicTime.distantPast
    /// Connections in a row that ended without an answer.
    private(set) var failedConnections = 0
    private var noConnectionUntil = MonotonicTime.distantPast
    private var noPipeliningUntil = MonotonicTime.distantPast

    // MARK: Case

    func casePreservation(at now: MonotonicTime) -> CasePreservation {
        if now < noCaseUntil { return .no }
        return hasPreservedCase ? .yes : .unknown
    }

    /// Whether it is asked with letters in random case.
    func mixesCase(at now: MonotonicTime) -> Bool { mayMixCase && casePreservation(at: now) != .no }

    /// Whether it is news that it repeats letters in their case.
    func wantsCaseSeen(at now: MonotonicTime) -> Bool { casePreservation(at: now) == .unknown || caseDoubts > 0 }

    /// It has repeated letters in their case.
    mutating func preservedCase() {
        hasPreservedCase = true
        caseDoubts = 0
    }

    /// It has not, and has answered when asked in another way.
    mutating func changedCase(now: MonotonicTime) {
        hasPreservedCase = false
        caseDoubts = 0
        noCaseUntil = now + Self.memory
    }

    /// It has repeated letters in their case over TCP, while an answer over UDP had others: that one was forged, or
    /// changed on the way.
    mutating func doubtedCase(now: MonotonicTime) {
        caseDoubts += 1
        if caseDoubts >= Self.maximumCaseDoubts { changedCase(now: now) }
    }

    // MARK: EDNS

    /// Whether it is asked with EDNS (RFC 6891).
    func usesEDNS(at now: MonotonicTime) -> Bool { now >= noEDNSUntil }

    /// It has answered without EDNS what it had refused with it.
    mutating func answeredWithoutEDNS(now: MonotonicTime) {
        noEDNSUntil = now + Self.memory
    }

    // MARK: TCP

    /// Whether a connection is worth trying.
    func takesConnections(at now: MonotonicTime) -> Bool { now >= noConnectionUntil }

    /// A connection has ended without an answer.
    mutating func connectionFailed(now: MonotonicTime) {
        failedConnections += 1
        if failedConnections >= Self.maximumFailedConnections { noConnectionUntil = now + Self.connectionPause }
    }

    /// An answer has come on a connection.
    mutating func connectionAnswered() {
        failedConnections = 0
        noConnectionUntil = .distantPast
    }

    /// Whether a query is sent on a connection on which others wait for their answers (RFC 7766 §6.2.1.1).
    func takesPipelining(at now: MonotonicTime) -> Bool { now >= noPipeliningUntil }

    /// It has answered one query on a connection, and ended that without answering others that it had by then.
    mutating func endedEarly(now: MonotonicTime) {
        noPipeliningUntil = now + Self.memory
    }
}
