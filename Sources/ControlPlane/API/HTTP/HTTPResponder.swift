import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Synchronization

/// Between Hummingbird's requests and the API: reads bodies, writes answers.
struct HTTPResponder: Sendable {
    /// Bodies from here on are worked on elsewhere, so that they do not hold up the event loop's other connections.
    private static let largeBodyOctets = 64 * 1024

    let handler: APIHandler
    let date: HTTPDate

    /// Answers one request.
    func respond(to request: Request, writer: consuming ResponseWriter, channel: any Channel) async throws {
        switch handler.resolve(request.head) {
        case .failure(let error):
            try await write(error.response, to: request, writer)
            try await skipBody(of: request, channel)
        case .success(let resolved):
            guard let limit = resolved.bodyLimit else {
                let response = await handler.respond(to: resolved, body: ByteBuffer())
                try await write(response, to: request, writer)
                try await skipBody(of: request, channel)
                return
            }
            var reader = RequestBodyReader(request, channel: channel)
            if request.headers[.expect]?.lowercased() == "100-continue",
                (request.headers[.contentLength].flatMap { Int($0) } ?? 0) <= limit
            {
                try await writer.writeInformationalHead(HTTPResponse(status: .continue))
            }
            guard let body = try await reader.read(limit: limit) else {
                var response = APIResponse.problem(.contentTooLarge, "the body has more than \(limit) octets")
                response.closesConnection = true
                try await write(response, to: request, writer)
                _ = try await reader.discard()
                channel.close(promise: nil)
                return
            }
            try await write(await answer(resolved, body), to: request, writer)
        }
    }

    private func answer(_ request: APIHandler.Resolved, _ body: ByteBuffer) async -> APIResponse {
        if body.readableBytes < Self.largeBodyOctets { return await handler.respond(to: request, body: body) }
        return await withTaskExecutorPreference(globalConcurrentExecutor) {
            await handler.respond(to: request, body: body)
        }
    }

    /// Reads a body that does not matter.
    private func skipBody(of request: Request, _ channel: any Channel) async throws {
        let length = request.headers[.contentLength]
        if length == nil || length == "0", !request.headers.contains(.transferEncoding) { return }
        var reader = RequestBodyReader(request, channel: channel)
        if try await !reader.discard() { channel.close(promise: nil) }
    }

    private func write(_ response: APIResponse, to request: Request, _ writer: consuming ResponseWriter) async throws {
        var fields = HTTPFields()
        fields.reserveCapacity(4 + response.fields.count)
        if !response.contentType.isEmpty {
            fields.append(HTTPField(name: .contentType, value: response.contentType))
        }
        if response.status != .noContent {
            fields.append(HTTPField(name: .contentLength, value: String(response.body.readableBytes)))
        }
        for field in response.fields { fields.append(field) }
        fields.append(HTTPField(name: .date, value: date.text(at: handler.time.now().wall)))
        if response.closesConnection || request.headers[.connection] == "close" {
            fields.append(HTTPField(name: .connection, value: "close"))
        }
        let head = HTTPResponse(status: response.status, headerFields: fields)
        let hasBody = request.method != .head && response.body.readableBytes > 0
        try await writer.write(
            response: head,
            body: hasBody ? ResponseBody(byteBuffer: response.body) : ResponseBody()
        )
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
