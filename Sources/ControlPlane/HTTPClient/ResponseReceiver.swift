/// The closures that receive a stream's response.
struct ResponseStream: Sendable {
    var onResponse: @Sendable (_ status: Int) -> Void
    /// `false` ends the stream.
    var onOctets: @Sendable ([UInt8]) -> Bool
}

/// Takes in a response piece by piece, within its limits.
struct ResponseReceiver {
    /// Why the rest of the response is refused.
    enum Refusal: Equatable { case headTooLarge, bodyTooLarge, streamEnded }

    /// The most octets of all heads together: a server may send any number of 1xx, and trailers.
    static let maximumHeadOctets = 65_536

    /// The octets collected so far.
    private(set) var body: [UInt8] = []
    /// Set when a piece has been refused.
    private(set) var refusal: Refusal?
    private var headOctets = 0
    private var isAnnounced = false
    private let maximumBodyOctets: Int
    private let stream: ResponseStream?

    init(maximumBodyOctets: Int, stream: ResponseStream?) {
        self.maximumBodyOctets = maximumBodyOctets
        self.stream = stream
    }

    /// Takes a line of the head.
    ///
    /// - Returns: whether to go on.
    mutating func takeLine(ofOctets count: Int, isEmpty: Bool, status: Int) -> Bool {
        headOctets += count
        if headOctets > Self.maximumHeadOctets { return refuse(.headTooLarge) }
        if isEmpty, status >= 200, !isAnnounced {
            isAnnounced = true
            stream?.onResponse(status)
        }
        return true
    }

    /// Takes a piece of the body.
    ///
    /// - Returns: whether to go on.
    mutating func takeBody(_ piece: [UInt8], status: Int) -> Bool {
        if let stream, (200...299).contains(status) {
            return stream.onOctets(piece) || refuse(.streamEnded)
        }
        if piece.count > maximumBodyOctets - body.count { return refuse(.bodyTooLarge) }
        // Most bodies are one piece.
        if body.isEmpty { body = piece } else { body += piece }
        return true
    }

    private mutating func refuse(_ reason: Refusal) -> Bool {
        refusal = reason
        return false
    }
}
