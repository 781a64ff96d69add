import Synchronization

/// What the REST API has answered since the start, and how long that took; and its connections.
///
/// A request costs one lock that only requests for the same endpoint share, and nothing that is hashed or allocated.
final class HTTPCounters: Sendable {
    /// What was answered at one endpoint.
    struct Answers: Sendable {
        private static let codes = 100..<600
        /// Codes as in ``codes``; others count as its last one.
        private var counts = [UInt64](repeating: 0, count: codes.count)
        /// Seconds from a complete request until its answer was made. What the client takes to send the one and to read
        /// the other is not in them.
        private(set) var durations = Histogram.requests

        /// Codes that were answered, each with how often, in ascending order.
        var byCode: [(code: Int, count: UInt64)] {
            counts.enumerated().compactMap { place, count in
                count > 0 ? (Self.codes.lowerBound + place, count) : nil
            }
        }

        fileprivate mutating func add(code: Int, seconds: Double?) {
            let code = min(max(code, Self.codes.lowerBound), Self.codes.upperBound - 1)
            counts[code - Self.codes.lowerBound] &+= 1
            if let seconds { durations.add(seconds) }
        }
    }

    private final class Place: Sendable {
        let answers = Mutex(Answers())
    }

    /// One for each endpoint, and one for all else.
    private let places: [Place]
    private let open = Atomic(0)
    private let accepted = Atomic<UInt64>(0)
    private let evicted = Atomic<UInt64>(0)
    private let refused = Atomic<UInt64>(0)

    /// - Parameter endpoints: how many there are.
    init(endpoints: Int) {
        places = (0...max(endpoints, 0)).map { _ in Place() }
    }

    /// Counts an answer.
    ///
    /// - Parameters:
    ///   - endpoint: the place of the request's endpoint; `nil`: it is for none.
    ///   - duration: from the complete request until the answer was made; `nil`: it says nothing of the server, since
    ///     the client has asked to wait, or the answer has no end.
    func noteAnswer(endpoint: Int?, code: Int, duration: Duration?) {
        let seconds = duration.map { $0 / .seconds(1) }
        let last = places.count - 1
        places[min(endpoint ?? last, last)].answers.withLock { $0.add(code: code, seconds: seconds) }
    }

    /// What was answered at an endpoint.
    ///
    /// - Parameter endpoint: its place; `nil`: to requests for none.
    func answers(endpoint: Int?) -> Answers {
        let last = places.count - 1
        return places[min(endpoint ?? last, last)].answers.withLock { $0 }
    }

    /// Notes how many connections are open now.
    func noteOpen(_ count: Int) { open.store(count, ordering: .relaxed) }

    /// What became of a connection that was opened.
    enum Admission: Sendable {
        case accepted
        /// Accepted, and another one had to give way to it.
        case acceptedInstead
        /// Closed at once: none could give way.
        case refused
    }

    /// Counts a connection.
    func noteConnection(_ admission: Admission) {
        switch admission {
        case .accepted: break
        case .acceptedInstead: evicted.wrappingAdd(1, ordering: .relaxed)
        case .refused: refused.wrappingAdd(1, ordering: .relaxed)
        }
        if admission != .refused { accepted.wrappingAdd(1, ordering: .relaxed) }
    }

    /// Connections: open now; and since the start those that were accepted, had to give way, and were refused.
    var connections: (open: Int, accepted: UInt64, evicted: UInt64, refused: UInt64) {
        (
            open.load(ordering: .relaxed), accepted.load(ordering: .relaxed), evicted.load(ordering: .relaxed),
            refused.load(ordering: .relaxed)
        )
    }
}
