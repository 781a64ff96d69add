/// What an upstream can do, learned from its answers. Pure: it is told what happened, and when.
///
/// That it can't do something is believed only for a while. By then another program may answer there, or somebody may
/// have forged the answer that it was learned from.
struct UpstreamFeatures {
    /// Whether an upstream preserves the case of a name's letters (draft-vixie-dnsext-dns0x20).
    enum CasePreservation { case unknown, yes, no }

    /// How long it is remembered that an upstream can't do something. Finding that out again costs a round trip.
    static let memory = Nanoseconds.seconds(300)
    /// After this many answers in a row over UDP in another case, that is believed, although the upstream preserves the
    /// case over TCP: something on the way changes it.
    static let maximumCaseDoubts = 3
    /// After this many connections in a row without an answer, none is tried for a while.
    static let maximumFailedConnections = 3
    /// How long none is tried then.
    static let connectionPause = Nanoseconds.seconds(1)

    /// Whether letters may have random case. This is not learned, but configured.
    var mayMixCase = true
    private var hasPreservedCase = false
    private var noCaseUntil = MonotonicTime.distantPast
    /// How many answers in a row had another case over UDP, while the upstream preserves it over TCP.
    private(set) var caseDoubts = 0
    private var noEDNSUntil = MonotonicTime.distantPast
    /// How many connections in a row ended without an answer.
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

    /// Whether it would be news that it preserves the case.
    func wantsCaseSeen(at now: MonotonicTime) -> Bool { casePreservation(at: now) == .unknown || caseDoubts > 0 }

    /// Notes that it has preserved the case.
    mutating func preservedCase() {
        hasPreservedCase = true
        caseDoubts = 0
    }

    /// Notes that it has changed the case, and has answered when asked in another way.
    mutating func changedCase(now: MonotonicTime) {
        hasPreservedCase = false
        caseDoubts = 0
        noCaseUntil = now + Self.memory
    }

    /// Notes that it has preserved the case over TCP, while an answer over UDP had another one. That answer was forged,
    /// or changed on the way.
    mutating func doubtedCase(now: MonotonicTime) {
        caseDoubts += 1
        if caseDoubts >= Self.maximumCaseDoubts { changedCase(now: now) }
    }

    // MARK: EDNS

    /// Whether it is asked with EDNS (RFC 6891).
    func usesEDNS(at now: MonotonicTime) -> Bool { now >= noEDNSUntil }

    /// Notes that it has answered without EDNS what it had refused with EDNS.
    mutating func answeredWithoutEDNS(now: MonotonicTime) {
        noEDNSUntil = now + Self.memory
    }

    // MARK: TCP

    /// Whether a connection is worth trying.
    func takesConnections(at now: MonotonicTime) -> Bool { now >= noConnectionUntil }

    /// Notes that a connection has ended without an answer.
    mutating func connectionFailed(now: MonotonicTime) {
        failedConnections += 1
        if failedConnections >= Self.maximumFailedConnections { noConnectionUntil = now + Self.connectionPause }
    }

    /// Notes that an answer has arrived on a connection.
    mutating func connectionAnswered() {
        failedConnections = 0
        noConnectionUntil = .distantPast
    }

    /// Whether a query may be sent on a connection on which others wait for their answers (RFC 7766 §6.2.1.1).
    func takesPipelining(at now: MonotonicTime) -> Bool { now >= noPipeliningUntil }

    /// Notes that it has answered one query on a connection, and has then ended the connection without answering others
    /// that it had received by then.
    mutating func endedEarly(now: MonotonicTime) {
        noPipeliningUntil = now + Self.memory
    }
}
