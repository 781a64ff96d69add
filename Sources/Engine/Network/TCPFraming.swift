/// DNS messages in a stream: each behind its length in two octets (RFC 1035 §4.2.2). Pure: sees counts, not octets.
enum TCPFraming {
    /// Octets of the length.
    static let prefixBytes = 2

    /// What can be taken from a stream.
    enum Step: Equatable {
        /// Nothing yet: the next message is not complete.
        case incomplete
        /// A message of that many octets, behind its length.
        case message(byteCount: Int)
        /// No message: shorter than a header. What follows can't be trusted either.
        case invalid
    }

    /// - Parameters:
    ///   - available: octets received and not yet taken.
    ///   - prefix: the first two of them as a number; anything while there are fewer.
    static func next(available: Int, prefix: UInt16) -> Step {
        guard available >= prefixBytes else { return .incomplete }
        guard prefix >= MessageHeader.byteCount else { return .invalid }
        return available >= prefixBytes + Int(prefix) ? .message(byteCount: Int(prefix)) : .incomplete
    }
}

/// What becomes of a TCP connection: pure, told what happened, and asked what to do next.
struct TCPSession {
    /// Octets of replies that may wait for the client before no more of its queries are taken.
    static let maximumPendingBytes = 65536
    /// Queries that may wait for an upstream before no more are taken.
    static let maximumOutstanding = 128
    /// Queries answered at a stretch before others have their turn.
    static let queriesAtOnce = 32

    /// What to do now.
    enum Action: Equatable {
        /// Take the next message, if it is complete.
        case take
        /// Answer one again whose reply had no room.
        case resume
        /// Stop reading until the replies have been sent.
        case pause
        /// Let others have their turn, then go on.
        case yield
        /// Wait for the client.
        case wait
        /// Close as soon as all replies have been sent.
        case closeWhenSent
    }

    /// Queries answered so far.
    private(set) var queries = 0
    /// Queries that wait for an upstream, or for room for its answer.
    private(set) var outstanding = 0
    /// Those of them that wait for room.
    private(set) var postponed = 0
    /// Whether one that waited for room is being answered again.
    private var isResuming = false
    /// The client sends no more (it may still receive), or shall not.
    private(set) var inputEnded = false
    /// Queries answered since the last ``beginTurn()``.
    private var queriesThisTurn = 0
    private let maximumQueries: Int

    /// - Parameter maximumQueries: queries before the connection is closed; 0 = no limit.
    init(maximumQueries: Int) {
        self.maximumQueries = maximumQueries
    }

    /// A new turn.
    mutating func beginTurn() {
        queriesThisTurn = 0
    }

    /// A query was answered.
    mutating func answered() {
        queries += 1
        queriesThisTurn += 1
    }

    /// A query has to wait for an upstream; its reply may come behind those of later ones (RFC 7766 §6.2.1.1).
    mutating func deferReply() {
        outstanding += 1
    }

    /// The reply to such a query was written.
    mutating func delivered() {
        outstanding -= 1
        isResuming = false
    }

    /// Whether there is room for a reply: for replies that were waited for come many at a time, and each may be as long
    /// as a message can be.
    func hasRoom(pendingBytes: Int) -> Bool { pendingBytes <= Self.maximumPendingBytes }

    /// The reply to such a query had no room.
    mutating func postpone() {
        postponed += 1
        isResuming = false
    }

    /// Such a query is answered again.
    mutating func resume() {
        postponed -= 1
        isResuming = true
    }

    /// The client has closed its side, or is not listened to any longer.
    mutating func endInput() {
        inputEnded = true
    }

    /// - Parameters:
    ///   - hasMessage: whether a complete message waits.
    ///   - pendingBytes: octets of replies that have not been sent.
    func next(hasMessage: Bool, pendingBytes: Int) -> Action {
        if postponed > 0 { return hasRoom(pendingBytes: pendingBytes) && !isResuming ? .resume : .pause }
        let end = outstanding > 0 ? Action.pause : .closeWhenSent
        if maximumQueries > 0, queries >= maximumQueries { return end }
        guard hasMessage else { return inputEnded ? end : .wait }
        if outstanding >= Self.maximumOutstanding { return .pause }
        guard hasRoom(pendingBytes: pendingBytes) else { return .pause }
        return queriesThisTurn >= Self.queriesAtOnce ? .yield : .take
    }
}
