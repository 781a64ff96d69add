import Hummingbird
import HummingbirdCore
import NIOCore

/// Reads a request's body within limits of size and time.
struct RequestBodyReader {
    /// How long a body may take to arrive.
    private static let timeout = TimeAmount.seconds(30)
    /// How much of a body nobody wants is read, so that its sender gets to read the answer.
    private static let maximumDiscardedOctets = 64 * 1024 * 1024

    private let channel: any Channel
    private let expectedOctets: Int?
    private var iterator: RequestBody.AsyncIterator

    /// Reads the body of a request that came over `channel`.
    init(_ request: Request, channel: any Channel) {
        self.channel = channel
        expectedOctets = request.headers[.contentLength].flatMap { Int($0) }
        iterator = request.body.makeAsyncIterator()
    }

    /// Reads the whole body.
    ///
    /// - Returns: `nil` when it has more octets than `limit`; some may have been read then.
    mutating func read(limit: Int) async throws -> ByteBuffer? {
        if let expectedOctets, expectedOctets > limit { return nil }
        guard var body = try await iterator.next() else { return ByteBuffer() }
        if body.readableBytes > limit { return nil }
        if body.readableBytes == expectedOctets {
            // The usual case, all in one piece: what remains to be read is its end.
            _ = try await iterator.next()
            return body
        }
        let deadline = closeConnection(in: Self.timeout)
        defer { deadline.cancel() }
        if let expectedOctets { body.reserveCapacity(expectedOctets) }
        while var part = try await iterator.next() {
            if body.readableBytes + part.readableBytes > limit { return nil }
            body.writeBuffer(&part)
        }
        return body
    }

    /// Reads what is left of the body and forgets it.
    ///
    /// - Returns: whether the end was reached: only then can another request follow.
    mutating func discard() async throws -> Bool {
        let deadline = closeConnection(in: Self.timeout)
        defer { deadline.cancel() }
        var octets = 0
        while let part = try await iterator.next() {
            octets += part.readableBytes
            if octets > Self.maximumDiscardedOctets { return false }
        }
        return true
    }

    private func closeConnection(in time: TimeAmount) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: time) { [channel] in channel.close(promise: nil) }
    }
}
