import HTTPTypes
import NIOCore
import NIOHTTP1

/// Connects a connection to the API: reads bodies, writes answers.
struct HTTPResponder: Sendable {
    /// Bodies of this size and larger are worked on by other threads, so that they do not hold up the event loop's
    /// other connections, and their memory is counted.
    static let largeBodyOctets = 64 * 1024

    let handler: any RequestHandler
    let date: HTTPDate
    /// The limits for reading requests' bodies.
    var bodyLimits = RequestBodyReader.Limits()

    /// For large bodies that were read but not answered yet.
    private let requestMemory = OctetBudget(limit: 256 << 20, limitPerClient: 64 << 20)
    /// For large answers that clients have not read yet.
    private let answerMemory = OctetBudget(limit: 256 << 20, limitPerClient: 64 << 20)
    private let largeRequests = SideThreads(count: 2, capacity: 64)

    init(handler: any RequestHandler, date: HTTPDate) {
        self.handler = handler
        self.date = date
    }

    /// Answers one request, and reads it to its end.
    ///
    /// - Returns: whether another request may follow on the connection.
    func respond(
        to head: RequestHead, _ parts: inout RequestParts, _ writer: ResponseWriter
    ) async throws -> Bool {
        var reader = RequestBodyReader(head, channel: writer.channel, limits: bodyLimits)
        var share = requestMemory.share(for: head.client)
        let response: ServerResponse
        var timing = Timing(start: handler.time.now().monotonic)
        switch handler.resolve(head) {
        case .failure(let error):
            timing.endpoint = error.endpoint
            response = error.response
        case .success(let request):
            timing.endpoint = request.endpoint
            timing.isMeasured = !request.mayWait
            do {
                if let receive = request.receive {
                    // It takes as long as the client sends.
                    timing.isMeasured = false
                    response = try await self.receive(receive, head, &reader, &parts, writer)
                    break
                }
                guard let limit = request.bodyLimit else {
                    response = await request.respond(ByteBuffer())
                    break
                }
                if head.expectsContinue, (head.contentLength ?? 0) <= limit { try await writer.writeContinue() }
                switch try await reader.read(from: &parts, limit: limit, share: &share) {
                case .whole(let body):
                    timing.start = handler.time.now().monotonic
                    response = await answer(request, body)
                case .tooLong: response = .tooLong(limit: limit)
                case .noMemory: response = .busy("too many large requests are under way")
                }
            } catch let error where RequestDecoder.isRefusal(error) {
                // What follows the error can't be told apart into requests.
                try await respond(to: error, writer)
                return false
            }
        }
        if let stream = response.stream {
            timing.isMeasured = false
            note(response, timing)
            try await writer.write(
                response, stream, date: currentDate, isHead: head.method == .head, isVersion10: head.isVersion10)
            return false
        }
        let keepsConnection = head.keepsConnection && !response.closesConnection
        try await write(response, to: head, timing, keepsConnection: keepsConnection, writer)
        return try await reader.discard(from: &parts) && keepsConnection
    }

    /// Answers octets that are not HTTP, or exceed a limit.
    func respond(to error: any Error, _ writer: ResponseWriter) async throws {
        let response: ServerResponse =
            switch error {
            case HTTPParserError.headerOverflow, is ByteToMessageDecoderError.PayloadTooLargeError:
                .problem(.requestHeaderFieldsTooLarge, "the request line, header fields or trailers are too long")
            case is RequestDecoder.FramingTooLong:
                .problem(.badRequest, "too much that means nothing: extensions of chunks, zeros or white space")
            case is RequestDecoder.SecureHello:
                .problem(.badRequest, "this port speaks HTTP without TLS: use http://")
            default:
                .problem(.badRequest, "not HTTP/1.1: \(error)")
            }
        handler.counters.noteAnswer(endpoint: nil, code: response.status.code, duration: nil)
        try await writer.write(response, date: currentDate, keepsConnection: false)
    }

    private var currentDate: String { date.text(at: handler.time.now().wall) }

    /// Has a body taken in as it comes.
    private func receive(
        _ receive: () async -> Result<any BodyReceiver, ResponseError>, _ head: RequestHead,
        _ reader: inout RequestBodyReader, _ parts: inout RequestParts, _ writer: ResponseWriter
    ) async throws -> ServerResponse {
        switch await receive() {
        case .failure(let error): return error.response
        case .success(let receiver):
            if head.expectsContinue { try await writer.writeContinue() }
            return try await reader.pass(from: &parts, to: receiver)
        }
    }

    private func answer(_ request: ResolvedRequest, _ body: ByteBuffer) async -> ServerResponse {
        if body.readableBytes < Self.largeBodyOctets { return await request.respond(body) }
        return await largeRequests.run { await request.respond(body) }
            ?? .busy("too many large requests are under way")
    }

    /// What is counted of a request.
    private struct Timing {
        /// When the request was complete.
        var start: ContinuousClock.Instant
        /// The place of its endpoint.
        var endpoint: Int?
        /// Whether the time until the answer is counted.
        var isMeasured = true
    }

    private func note(_ response: ServerResponse, _ timing: Timing) {
        let duration = timing.isMeasured ? timing.start.duration(to: handler.time.now().monotonic) : nil
        handler.counters.noteAnswer(endpoint: timing.endpoint, code: response.status.code, duration: duration)
    }

    private func write(
        _ response: ServerResponse, to head: RequestHead, _ timing: Timing, keepsConnection: Bool,
        _ writer: ResponseWriter
    ) async throws {
        let isHead = head.method == .head
        guard response.body.readableBytes >= Self.largeBodyOctets, !isHead else {
            note(response, timing)
            return try await writer.write(
                response, date: currentDate, isHead: isHead, keepsConnection: keepsConnection)
        }
        var share = answerMemory.share(for: head.client)
        // The result of a change is always sent; it is at most as long as the request was.
        guard share.grow(to: response.body.readableBytes) || head.isChange else {
            let busy = ServerResponse.busy("too many large answers wait to be read")
            note(busy, timing)
            return try await writer.write(busy, date: currentDate, keepsConnection: keepsConnection)
        }
        note(response, timing)
        try await writer.write(response, date: currentDate, keepsConnection: keepsConnection, waits: true)
    }
}

extension RequestHead {
    /// Whether the client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    fileprivate var expectsContinue: Bool {
        !isVersion10 && fields.first(name: "expect")?.lowercased() == "100-continue"
    }
}
