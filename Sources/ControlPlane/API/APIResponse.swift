import HTTPTypes
import NIOCore

/// An answer before it is put on the wire.
struct APIResponse: Sendable {
    var status: HTTPResponse.Status
    /// The media type of the body; empty: there is no body.
    var contentType = ""
    var body = ByteBuffer()
    /// Fields beyond those that every answer has.
    var fields: [HTTPField] = []
    /// Whether nothing more is answered on this connection.
    var closesConnection = false

    /// An answer without a body.
    static func empty(_ status: HTTPResponse.Status) -> APIResponse {
        APIResponse(status: status)
    }

    /// JSON as `write` writes it.
    static func json(
        _ status: HTTPResponse.Status = .ok,
        capacity: Int = 512,
        _ write: (inout JSONWriter) -> Void
    ) -> APIResponse {
        var writer = JSONWriter(capacity: capacity)
        write(&writer)
        return APIResponse(status: status, contentType: "application/json", body: writer.buffer)
    }

    /// A text of some media type.
    static func text(_ text: String, contentType: String) -> APIResponse {
        APIResponse(status: .ok, contentType: contentType, body: ByteBuffer(string: text))
    }

    /// An error as RFC 9457 describes them.
    ///
    /// - Parameter errors: all that is wrong with the request's fields.
    static func problem(
        _ status: HTTPResponse.Status,
        _ detail: String,
        errors: [FieldError] = [],
        fields: [HTTPField] = []
    ) -> APIResponse {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type")
        // "about:blank": the problem is what the status says (RFC 9457 §4.2.1).
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
        return APIResponse(
            status: status,
            contentType: "application/problem+json",
            body: writer.buffer,
            fields: fields
        )
    }

    /// An error after which nothing more is answered on the connection.
    static func closing(
        _ status: HTTPResponse.Status, _ detail: String, fields: [HTTPField] = []
    ) -> APIResponse {
        var response = problem(status, detail, fields: fields)
        response.closesConnection = true
        return response
    }

    /// 413 for a body.
    static func tooLong(limit: Int) -> APIResponse {
        closing(.contentTooLarge, "the body has more than \(limit) octets")
    }

    /// 503 for what the server has too much of at the moment.
    static func busy(_ detail: String) -> APIResponse {
        problem(.serviceUnavailable, detail, fields: [HTTPField(name: .retryAfter, value: "1")])
    }

    /// 422 with all that is wrong.
    static func invalid(_ invalid: InvalidFields) -> APIResponse {
        let names = invalid.errors.prefix(5).map { $0.field.isEmpty ? "the body" : $0.field }
        let rest = invalid.errors.count > names.count ? " and others" : ""
        return problem(
            .unprocessableContent,
            "not valid: \(names.joined(separator: ", "))\(rest)",
            errors: invalid.errors
        )
    }

    /// 422 for a registration beyond a limit.
    static func refused(_ limit: RegistryLimit) -> APIResponse {
        problem(.unprocessableContent, limit.error.message, errors: [limit.error])
    }

    /// What a change that the registry can't take is answered with.
    static func unavailable(_ error: RegistryError) -> APIResponse {
        let detail =
            switch error {
            case .overloaded: "too many changes are waiting"
            case .storeUnavailable(let error): "the storage can't keep changes now: \(error.reason)"
            case .loading: "the registry is not loaded yet"
            case .stopping: "the server is about to stop"
            }
        return busy(detail)
    }

    /// 404 for an instance.
    static func unknownInstance(_ id: String) -> APIResponse {
        problem(.notFound, "there is no instance with the id '\(id)'")
    }
}

extension JSONWriter {
    /// An array of what is wrong with fields.
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
