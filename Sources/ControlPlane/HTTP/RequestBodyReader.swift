import NIOCore

/// The parts that come in on a connection.
typealias RequestParts = NIOAsyncChannelInboundStream<RequestPart>.AsyncIterator

/// Reads a request's body within limits of size, time and memory, and no further.
struct RequestBodyReader {
    /// The result of reading a body.
    enum Outcome {
        case whole(ByteBuffer)
        /// The body has more octets than allowed.
        case tooLong
        /// The server holds too many large bodies already.
        case noMemory
    }

    /// Limits of time and size.
    struct Limits: Sendable {
        /// How long a body may take to arrive.
        var time = TimeAmount.seconds(30)
        /// How long nothing may come of a body that is taken in as it comes.
        var silence = TimeAmount.seconds(30)
        /// How much of an unwanted body is read, so that its sender gets to read the answer.
        var discardedOctets = 64 * 1024 * 1024
        /// Bodies up to this size are not counted: each connection has at most one.
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
    ///   - limit: the most octets that the body may have.
    ///   - share: grows with the body.
    /// - Returns: the body, or why it was not read completely.
    mutating func read(
        from parts: inout RequestParts, limit: Int, share: inout OctetBudget.Share
    ) async throws -> Outcome {
        if let expectedOctets, expectedOctets > limit { return .tooLong }
        guard var body = try await next(&parts) else { return .whole(ByteBuffer()) }
        if body.readableBytes > limit { return .tooLong }
        if body.readableBytes == expectedOctets {
            // The usual case: the body came in one piece, and only its end is left to be read.
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

    /// Passes the body on as it comes, at the pace of the receiver.
    ///
    /// - Returns: the receiver's answer.
    mutating func pass(
        from parts: inout RequestParts, to receiver: any BodyReceiver
    ) async throws -> ServerResponse {
        while let part = try await nextInTime(&parts) {
            if let response = await receiver.take(part) { return response }
        }
        return await receiver.finish()
    }

    private mutating func nextInTime(_ parts: inout RequestParts) async throws -> ByteBuffer? {
        let deadline = closeConnection(in: limits.silence)
        defer { deadline.cancel() }
        return try await next(&parts)
    }

    /// Reads the rest of the body and drops it.
    ///
    /// - Returns: whether the end was reached: only then can another request follow.
    mutating func discard(from parts: inout RequestParts) async throws -> Bool {
        if isAtEnd { return true }
        // The usual case: only the end is left, and it came with the head.
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

    /// - Returns: the next part of the body, or `nil` at its end.
    private mutating func next(_ parts: inout RequestParts) async throws -> ByteBuffer? {
        if isAtEnd { return nil }
        switch try await parts.next() {
        case .body(let octets): return octets
        case .end:
            isAtEnd = true
            return nil
        case .head, nil:
            // The client has gone, or has stopped in the middle.
            throw ChannelError.eof
        }
    }

    private func closeConnection(in time: TimeAmount) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: time) { [channel] in channel.close(promise: nil) }
    }
}
