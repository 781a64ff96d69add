/// DNS messages in a stream, each behind its length in two octets (RFC 1035 §4.2.2). Pure: it sees counts, not octets.
enum TCPFraming {
    /// The octets of the length field.
    static let prefixBytes = 2

    /// What comes next in a stream.
    enum Step: Equatable {
        /// Nothing yet: the next message is not complete.
        case incomplete
        /// A message of this many octets, behind its length.
        case message(byteCount: Int)
        /// No valid message: it is shorter than a header. What follows can't be trusted either.
        case invalid
    }

    /// - Parameters:
    ///   - available: how many octets were received and not taken yet.
    ///   - prefix: the first two of them as a number; any value if there are fewer.
    static func next(available: Int, prefix: UInt16) -> Step {
        guard available >= prefixBytes else { return .incomplete }
        guard prefix >= MessageHeader.byteCount else { return .invalid }
        return available >= prefixBytes + Int(prefix) ? .message(byteCount: Int(prefix)) : .incomplete
    }
}

/// The state machine of a TCP connection. Pure: it is told what has happened, and asked what to do next.
struct TCPSession {
    /// How many octets of replies may wait for the client before no more of its queries are taken.
    static let maximumPendingBytes = 65536
    /// How many queries may wait for an upstream before no more are taken.
    static let maximumOutstanding = 128
    /// How many queries are answered in a row before others get their turn.
    static let queriesAtOnce = 32

    /// What to do now.
    enum Action: Equatable {
        /// Take the next message, if it is complete.
        case take
        /// Answer a query again whose reply had no room.
        case resume
        /// Stop reading until the replies have been sent.
        case pause
        /// Let others have their turn, then continue.
        case yield
        /// Wait for more data from the client.
        case wait
        /// Close once all replies have been sent.
        case closeWhenSent
    }

    /// Queries answered so far.
    private(set) var queries = 0
    /// Queries that wait for an upstream, or for room for its answer.
    private(set) var outstanding = 0
    /// How many of these wait for room.
    private(set) var postponed = 0
    /// Whether a query that waited for room is being answered again.
    private var isResuming = false
    /// Whether the client sends no more (it may still receive), or is not to be read any more.
    private(set) var inputEnded = false
    /// Queries answered since the last ``beginTurn()``.
    private var queriesThisTurn = 0
    private let maximumQueries: Int

    /// - Parameter maximumQueries: how many queries are answered before the connection is closed; 0 = no limit.
    init(maximumQueries: Int) {
        self.maximumQueries = maximumQueries
    }

    /// Begins a new turn.
    mutating func beginTurn() {
        queriesThisTurn = 0
    }

    /// Notes that a query was answered.
    mutating func answered() {
        queries += 1
        queriesThisTurn += 1
    }

    /// Notes that a query must wait for an upstream; its reply may come after those of later queries (RFC 7766
    /// §6.2.1.1).
    mutating func deferReply() {
        outstanding += 1
    }

    /// Notes that the reply to such a query was written.
    mutating func delivered() {
        outstanding -= 1
        isResuming = false
    }

    /// Whether there is room for another reply. This matters for replies that were waited for: many come at a time, and
    /// each may be as long as a message can be.
    func hasRoom(pendingBytes: Int) -> Bool { pendingBytes <= Self.maximumPendingBytes }

    /// Notes that the reply to such a query had no room.
    mutating func postpone() {
        postponed += 1
        isResuming = false
    }

    /// Notes that such a query is answered again.
    mutating func resume() {
        postponed -= 1
        isResuming = true
    }

    /// Notes that the client has closed its side, or is not read any more.
    mutating func endInput() {
        inputEnded = true
    }

    /// - Parameters:
    ///   - hasMessage: whether a complete message is waiting.
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
