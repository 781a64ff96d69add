import HTTPTypes
import NIOCore

/// An answer before it is put on the wire.
struct ServerResponse: Sendable {
    var status: HTTPResponse.Status
    /// The media type of the body; empty: there is no body.
    var contentType = ""
    var body = ByteBuffer()
    /// Makes the body instead as it is sent.
    var stream: StreamedBody?
    /// Fields besides those that every answer has.
    var fields: [HTTPField] = []
    /// Whether the connection is closed after this answer.
    var closesConnection = false

    /// An answer without a body.
    static func empty(_ status: HTTPResponse.Status) -> ServerResponse {
        ServerResponse(status: status)
    }

    /// A JSON body, written by `write`.
    static func json(
        _ status: HTTPResponse.Status = .ok,
        capacity: Int = 512,
        _ write: (inout JSONWriter) -> Void
    ) -> ServerResponse {
        var writer = JSONWriter(capacity: capacity)
        write(&writer)
        return ServerResponse(status: status, contentType: "application/json", body: writer.line)
    }

    /// A text body of some media type.
    static func text(_ text: String, contentType: String) -> ServerResponse {
        ServerResponse(status: .ok, contentType: contentType, body: ByteBuffer(string: text))
    }

    /// An error as in RFC 9457.
    ///
    /// - Parameter errors: all that is wrong with the request's fields.
    static func problem(
        _ status: HTTPResponse.Status,
        _ detail: String,
        errors: [FieldError] = [],
        fields: [HTTPField] = []
    ) -> ServerResponse {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type")
        // "about:blank" means that the status describes the problem (RFC 9457 §4.2.1).
        writer.string("about:blank")
        writer.member("title")
        writer.string(status.reasonPhrase)
        writer.member("status")
        writer.integer(status.code)
        writer.member("detail")
        writer.string(detail)
        if !errors.isEmpty {
            writer.member("errors")
            writer.fieldErrors(errors)
        }
        writer.endObject()
        return ServerResponse(
            status: status,
            contentType: "application/problem+json",
            body: writer.line,
            fields: fields
        )
    }

    /// An error after which the connection is closed.
    static func closing(
        _ status: HTTPResponse.Status, _ detail: String, fields: [HTTPField] = []
    ) -> ServerResponse {
        var response = problem(status, detail, fields: fields)
        response.closesConnection = true
        return response
    }

    /// 413 for a body.
    static func tooLong(limit: Int) -> ServerResponse {
        closing(.contentTooLarge, "the body has more than \(limit) octets")
    }

    /// 503 when the server is short of something at the moment.
    static func busy(_ detail: String) -> ServerResponse {
        problem(.serviceUnavailable, detail, fields: [HTTPField(name: .retryAfter, value: "1")])
    }

    /// 422 with all that is wrong.
    static func invalid(_ invalid: InvalidFields) -> ServerResponse {
        let names = invalid.errors.prefix(5).map { $0.field.isEmpty ? "the body" : $0.field }
        let rest = invalid.errors.count > names.count ? " and others" : ""
        return problem(
            .unprocessableContent,
            "not valid: \(names.joined(separator: ", "))\(rest)",
            errors: invalid.errors
        )
    }
}

extension JSONWriter {
    /// An array of the errors in fields.
    mutating func fieldErrors(_ errors: [FieldError]) {
        beginArray()
        for error in errors {
            beginObject()
            member("field")
            string(error.field)
            member("message")
            string(error.message)
            endObject()
        }
        endArray()
    }
}
