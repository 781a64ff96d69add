import HTTPTypes
import NIOCore
import NIOHTTP1

/// A body that is made as it is sent, and may have no end.
struct StreamedBody: Sendable {
    /// How long a client may take to read what is written at once; `nil`: as long as it likes.
    var partTimeout: TimeAmount?
    /// Writes the body. It ends when this returns; the connection is closed then, and without an end if this throws.
    let run: @Sendable (Writer) async throws -> Void

    /// Sends parts of a body.
    struct Writer: Sendable {
        private let send: @Sendable ([ByteBuffer]) async throws -> Void

        init(_ send: @escaping @Sendable ([ByteBuffer]) async throws -> Void) {
            self.send = send
        }

        /// Sends octets. Returns when the connection can take more, so no more than these wait for a slow client.
        ///
        /// - Throws: if the client has gone.
        nonisolated(nonsending) func write(_ parts: [ByteBuffer]) async throws {
            let parts = parts.filter { $0.readableBytes > 0 }
            // An empty chunk would be the end (RFC 9112 §7.1).
            if !parts.isEmpty { try await send(parts) }
        }
    }
}

extension ResponseWriter {
    /// With so many octets waiting, a client's connection takes no more, and with so few it does again.
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 * 1024, high: 128 * 1024)

    /// Writes an answer with a body that is made as it is sent: in chunks, or to an HTTP/1.0 client up to the
    /// connection's end. The connection has to be closed behind it.
    ///
    /// - Parameter isHead: whether the request was HEAD, so that the answer has no body: not even the chunk that ends
    ///   one.
    func write(
        _ response: ServerResponse, _ stream: StreamedBody, date: String, isHead: Bool, isVersion10: Bool
    ) async throws {
        try await channel.setOption(.writeBufferWaterMark, value: Self.waterMark).get()
        var headers = Self.fields(response, date: date, keepsConnection: false, hasLength: false)
        if !isVersion10 { headers.add(name: "Transfer-Encoding", value: "chunked") }
        let head = HTTPResponseHead(
            version: isVersion10 ? .http1_0 : .http1_1,
            status: HTTPResponseStatus(
                statusCode: response.status.code, reasonPhrase: response.status.reasonPhrase),
            headers: headers)
        try await outbound.write(.head(head))
        if isHead { return }
        let (outbound, channel, timeout) = (outbound, channel, stream.partTimeout)
        try await stream.run(
            StreamedBody.Writer { parts in
                let deadline = timeout.map { time in
                    channel.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
                }
                defer { deadline?.cancel() }
                try await outbound.write(contentsOf: parts.map { .body($0) })
            })
        try await outbound.write(.end(nil))
    }
}
