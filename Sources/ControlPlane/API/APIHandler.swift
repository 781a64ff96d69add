import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Answers requests of the API: no sockets, no HTTP framing.
struct APIHandler: Sendable {
    let registry: Registry
    let decoder: RegistrationDecoder
    let state: ServerState
    let cache: any AnswerCacheControl
    let time: TimeSource
    var origin = RequestOrigin(hosts: [])
    /// Where long answers are made, a few at a time.
    let largeAnswers = SideThreads(count: 2, capacity: 128)

    /// The largest body of a request.
    static let maximumBodyOctets = 1024 * 1024
    /// The largest body of a batch of changes or heartbeats.
    static let maximumBatchOctets = 16 * 1024 * 1024

    /// A request that was found to lead somewhere.
    struct Resolved: Sendable {
        let route: Route
        let method: HTTPRequest.Method
        let target: RequestTarget
        /// The largest body that is read, in octets; `nil`: the body does not matter.
        let bodyLimit: Int?
        /// When it came.
        let arrival: Moment
        /// Who sends it.
        let client: IPAddress?
    }

    /// Finds where a request leads to, by its head alone.
    func resolve(_ head: RequestHead) -> Result<Resolved, ResponseError> {
        if head.method == .connect {
            let allow = HTTPField(name: .allow, value: "GET, HEAD, POST, PUT, PATCH, DELETE")
            return .failure(ResponseError(.closing(.methodNotAllowed, "this is no proxy", fields: [allow])))
        }
        if head.isVersion10, head.fields.contains(name: "transfer-encoding") {
            // Whoever passed it on may have seen another end of it (RFC 9112 §6.1).
            return .failure(ResponseError(.closing(.badRequest, "HTTP/1.0 has no Transfer-Encoding")))
        }
        let target = RequestTarget(head.target)
        if let refusal = origin.refusal(of: head, target) { return .failure(ResponseError(refusal)) }
        guard let route = target.segments.flatMap(Route.init(segments:)) else {
            return .failure(ResponseError(.problem(.notFound, "there is nothing at this path")))
        }
        guard route.methods.contains(head.method) else {
            let methods = route.methods.map(\.rawValue).joined(separator: ", ")
            let allow = HTTPField(name: .allow, value: methods)
            return .failure(
                ResponseError(.problem(.methodNotAllowed, "only \(methods) can be used here", fields: [allow]))
            )
        }
        let bodyLimit = Self.bodyLimit(route, head.method)
        if bodyLimit != nil, let response = Self.mediaTypeProblem(head) { return .failure(ResponseError(response)) }
        if !route.allowsParameters || head.method == .post, !target.query.isEmpty {
            let error = FieldError(
                field: String(target.query.prefix { $0 != "=" && $0 != "&" }), message: "unknown parameter")
            return .failure(ResponseError(.invalid(InvalidFields(errors: [error]))))
        }
        return .success(
            Resolved(
                route: route, method: head.method, target: target, bodyLimit: bodyLimit, arrival: head.arrival,
                client: head.client)
        )
    }

    /// Answers a request.
    ///
    /// - Parameter body: the whole body; empty when it does not matter.
    func respond(to request: Resolved, body: ByteBuffer) async -> APIResponse {
        // What is not loaded yet must not be said to be unknown, or be registered a second time.
        if request.route.needsRegistry, !registry.isLoaded { return .unavailable(.loading) }
        return switch (request.route, request.method) {
        case (.services, .post): await register(body, from: request.client)
        case (.services, _): await list(request.target)
        case (.service, .post): await batch(body, from: request.client)
        case (.service(let id), .patch): await patch(id, body)
        case (.service(let id), .delete): await deregister(id)
        case (.service(let id), _): show(id)
        case (.heartbeat(let id), _): heartbeat(id, arrival: request.arrival)
        case (.heartbeats, _): heartbeats(body, arrival: request.arrival)
        case (.names, _): names(request.target)
        case (.status, _): status()
        case (.health, _): health()
        case (.cache, _): removeFromCache(request.target)
        case (.alive, _): .json { writer in writer.statusObject("alive") }
        case (.ready, _): ready()
        case (.description, _): .text(OpenAPIDocument.text, contentType: "application/yaml")
        }
    }

    private static func bodyLimit(_ route: Route, _ method: HTTPRequest.Method) -> Int? {
        switch (route, method) {
        case (.services, .post), (.service, .patch): maximumBodyOctets
        case (.service, .post), (.heartbeats, .post): maximumBatchOctets
        default: nil
        }
    }

    /// Why a body can't be read by what its head says of it.
    private static func mediaTypeProblem(_ head: RequestHead) -> APIResponse? {
        guard isJSON(head.fields.first(name: "content-type")) else {
            return .problem(.unsupportedMediaType, "the Content-Type must be application/json")
        }
        let coding = head.fields.first(name: "content-encoding") ?? "identity"
        guard coding.isEmpty || coding.lowercased() == "identity" else {
            return .problem(
                .unsupportedMediaType, "the body must not have a Content-Encoding",
                fields: [HTTPField(name: .acceptEncoding, value: "identity")])
        }
        return nil
    }

    /// Whether a Content-Type is `application/json`, with or without parameters (RFC 9110 §8.3).
    private static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        if contentType == "application/json" { return true }
        let end = contentType.utf8.firstIndex(of: UInt8(ascii: ";")) ?? contentType.endIndex
        let type = contentType[..<end].lowercased()
        return String(type.trimmingPrefix { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" })
            == "application/json"
    }
}

/// An answer that ends the handling of a request early.
struct ResponseError: Error, Sendable {
    let response: APIResponse

    init(_ response: APIResponse) {
        self.response = response
    }
}

extension JSONWriter {
    /// `{"status":"…"}`
    mutating func statusObject(_ status: String) {
        beginObject()
        member("status")
        string(status)
        endObject()
    }
}
