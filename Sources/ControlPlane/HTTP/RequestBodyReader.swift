import NIOCore

/// What comes in on a connection, part by part.
typealias RequestParts = NIOAsyncChannelInboundStream<RequestPart>.AsyncIterator

/// Reads a request's body within limits of size, time and memory, and no further.
struct RequestBodyReader {
    /// What became of a body.
    enum Outcome {
        case whole(ByteBuffer)
        /// It has more octets than it may.
        case tooLong
        /// The server holds too many large bodies already.
        case noMemory
    }

    /// Times and sizes.
    struct Limits: Sendable {
        /// How long a body may take to arrive.
        var time = TimeAmount.seconds(30)
        /// How much of a body nobody wants is read, so that its sender gets to read the answer.
        var discardedOctets = 64 * 1024 * 1024
        /// Bodies up to here are not counted: there is at most one for each connection.
        var freeOctets = 64 * 1024
    }

    private let channel: any Channel
    private let expectedOctets: Int?
    private let hasBody: Bool
    private let limits: Limits
    private var isAtEnd = false

    /// Reads the body of the request that `head` begins, which came over `channel`.
    init(_ head: RequestHead, channel: any Channel, limits: Limits) {
        self.channel = channel
        self.limits = limits
        expectedOctets = head.contentLength
        hasBody = head.hasBody
    }

    /// Reads the whole body.
    ///
    /// - Parameters:
    ///   - limit: octets that it may have.
    ///   - share: grows with it.
    /// - Returns: the body, or why some of it was not read.
    mutating func read(
        from parts: inout RequestParts, limit: Int, share: inout OctetBudget.Share
    ) async throws -> Outcome {
        if let expectedOctets, expectedOctets > limit { return .tooLong }
        guard var body = try await next(&parts) else { return .whole(ByteBuffer()) }
        if body.readableBytes > limit { return .tooLong }
        if body.readableBytes == expectedOctets {
            // The usual case, all in one piece: what remains to be read is its end.
            _ = try await next(&parts)
            return .whole(body)
        }
        let deadline = closeConnection(in: limits.time)
        defer { deadline.cancel() }
        if let expectedOctets { body.reserveCapacity(min(expectedOctets, limits.freeOctets)) }
        while var part = try await next(&parts) {
            let octets = body.readableBytes + part.readableBytes
            if octets > limit { return .tooLong }
            if octets > limits.freeOctets, !share.grow(to: octets) { return .noMemory }
            body.writeBuffer(&part)
        }
        return .whole(body)
    }

    /// Reads what is left of the body and forgets it.
    ///
    /// - Returns: whether the end was reached: only then can another request follow.
    mutating func discard(from parts: inout RequestParts) async throws -> Bool {
        if isAtEnd { return true }
        // The usual case: all that is left is its end, which has come with the head.
        if !hasBody { return try await next(&parts) == nil }
        let deadline = closeConnection(in: limits.time)
        defer { deadline.cancel() }
        var octets = 0
        while let part = try await next(&parts) {
            octets += part.readableBytes
            if octets > limits.discardedOctets { return false }
        }
        return true
    }

    /// - Returns: the next part of the body; `nil` at its end.
    private mutating func next(_ parts: inout RequestParts) async throws -> ByteBuffer? {
        if isAtEnd { return nil }
        switch try await parts.next() {
        case .body(let octets): return octets
        case .end:
            isAtEnd = true
            return nil
        case .head, nil:
            // The client has gone, or stopped in the middle.
            throw ChannelError.eof
        }
    }

    private func closeConnection(in time: TimeAmount) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: time) { [channel] in channel.close(promise: nil) }
    }
}
