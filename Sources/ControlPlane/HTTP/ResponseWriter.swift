import HTTPTypes
import NIOCore
import NIOHTTP1
import Synchronization

/// Writes answers to a connection.
struct ResponseWriter {
    /// How long a client may take to read what it has asked for.
    private static let sendTimeout = TimeAmount.seconds(60)
    /// How many octets are encrypted at once. What they need stays allocated for as long as the connection lasts.
    private static let secureOctets = 48 * 1024

    let channel: any Channel
    let outbound: NIOAsyncChannelOutboundWriter<ResponsePart>
    /// Whether the connection speaks TLS.
    var isSecure = false

    /// Tells the client to go on and send its body (RFC 9110 §10.1.1).
    func writeContinue() async throws {
        try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: .continue)))
    }

    /// Writes an answer.
    ///
    /// - Parameters:
    ///   - isHead: whether the request was HEAD, so that the answer has no body.
    ///   - keepsConnection: whether another request may follow.
    ///   - waits: whether to return only when the system has taken the whole body.
    func write(
        _ response: ServerResponse, date: String, isHead: Bool = false, keepsConnection: Bool, waits: Bool = false
    ) async throws {
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(
                statusCode: response.status.code, reasonPhrase: response.status.reasonPhrase),
            headers: Self.fields(response, date: date, keepsConnection: keepsConnection)
        )
        guard !isHead, response.body.readableBytes > 0 else {
            try await send([.head(head), .end(nil)])
            return
        }
        guard waits else {
            try await send([.head(head), .body(response.body), .end(nil)])
            return
        }
        try await send([.head(head)])
        let deadline = closeConnection(in: Self.sendTimeout)
        defer { deadline.cancel() }
        var body = response.body
        while isSecure, let piece = body.readSlice(length: Self.secureOctets) {
            try await channel.writeAndFlush(ResponsePart.body(piece)).get()
        }
        if body.readableBytes > 0 { try await channel.writeAndFlush(ResponsePart.body(body)).get() }
        try await outbound.write(.end(nil))
    }

    private func send(_ parts: [ResponsePart]) async throws {
        guard !channel.isWritable else { return try await outbound.write(contentsOf: parts) }
        // The client has not read earlier answers yet.
        let deadline = closeConnection(in: Self.sendTimeout)
        defer { deadline.cancel() }
        try await outbound.write(contentsOf: parts)
    }

    private func closeConnection(in time: TimeAmount) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: time) { [channel] in channel.close(promise: nil) }
    }

    static func fields(
        _ response: ServerResponse, date: String, keepsConnection: Bool, hasLength: Bool = true
    ) -> HTTPHeaders {
        var fields: [(String, String)] = []
        fields.reserveCapacity(5 + response.fields.count)
        if !response.contentType.isEmpty { fields.append(("Content-Type", response.contentType)) }
        if hasLength, response.status != .noContent, response.status != .notModified {
            fields.append(("Content-Length", String(response.body.readableBytes)))
        }
        for field in response.fields { fields.append((field.name.rawName, field.value)) }
        fields.append(("Date", date))
        // A browser must not take an answer for another type than it has.
        fields.append(("X-Content-Type-Options", "nosniff"))
        if !keepsConnection { fields.append(("Connection", "close")) }
        return HTTPHeaders(fields)
    }
}

/// The value of the `Date` field, made once a second.
final class HTTPDate: Sendable {
    private let last = Mutex((second: Int64.min, text: ""))

    /// The text for a moment.
    func text(at time: WallTime) -> String {
        last.withLock { last in
            if last.second != time.secondsSince1970 {
                last = (time.secondsSince1970, CalendarTime(time).httpDate)
            }
            return last.text
        }
    }
}
