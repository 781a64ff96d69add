import Engine
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Answers requests to the API, without sockets or HTTP framing.
struct APIHandler: RequestHandler {
    /// What there is, and how often it was answered.
    let endpoints: CountedEndpoints
    let registry: Registry
    let decoder: RegistrationDecoder
    let state: ServerState
    let cache: any AnswerCacheControl
    let time: TimeSource
    /// What this server's own checks have found last; `nil`: it runs none.
    var checks: (any CheckObserver)?
    /// What DNS does; `nil`: nobody knows.
    var dns: (any DNSInsight)?
    /// Whether the metrics have figures of each service.
    var hasServiceMetrics = false
    var origin = RequestOrigin(hosts: [])
    /// Decides who may use it.
    var access = AccessControl()
    /// Limits how often each client asks.
    var limiter = RequestLimiter()
    /// The threads that make long answers, a few at a time.
    let largeAnswers = SideThreads(count: 2, capacity: 128)
    /// The thread that makes snapshots for readers of events, each of which wants one part at a time.
    let snapshots = SideThreads(count: 1, capacity: .max)
    /// For lists that are sent part by part: so many at once, and so many to one client.
    let streamMemory = OctetBudget(
        limit: 64 * TargetStream.octetsPerReader, limitPerClient: 16 * TargetStream.octetsPerReader)
    /// Lets one restore in at a time.
    let restoreGate = RestoreGate()
    /// The folders in which a backup may lie while it is taken in, the best one first.
    var spoolFolders = SpoolFile.usualFolders

    /// Counts what is answered.
    var counters: HTTPCounters { endpoints.counters }

    private static let nothing = "there is nothing at this path: GET /openapi.yaml describes what there is"

    /// Finds the endpoint of a request by its head only.
    func resolve(_ head: RequestHead) -> Result<ResolvedRequest, ResponseError> {
        if head.method == .connect {
            let allow = HTTPField(name: .allow, value: "GET, HEAD, POST, PUT, PATCH, DELETE")
            return .failure(ResponseError(.closing(.methodNotAllowed, "this is no proxy", fields: [allow])))
        }
        if head.isVersion10, head.fields.contains(name: "transfer-encoding") {
            // The proxy that passed it on may have seen another end of it (RFC 9112 §6.1).
            return .failure(ResponseError(.closing(.badRequest, "HTTP/1.0 has no Transfer-Encoding")))
        }
        guard head.fields["transfer-encoding"].allSatisfy({ $0.lowercased() == "chunked" }) else {
            return .failure(ResponseError(.closing(.notImplemented, "the only Transfer-Encoding here is chunked")))
        }
        let target = RequestTarget(head.target)
        // A web page has no token, so with tokens any name will do.
        if let refusal = origin.refusal(of: head, target, acceptsAnyHost: access.isRequired) {
            return .failure(ResponseError(refusal))
        }
        let match = target.segments.map { endpoints.table.match(head.method, $0) } ?? .nothing
        // Before anything else is done for it.
        if let response = limited(match, head.client) {
            return .failure(ResponseError(response, endpoint: match.place))
        }
        let place: Int
        let endpoint: Endpoint
        let variables: [String]
        switch match {
        case .nothing: return .failure(ResponseError(.problem(.notFound, Self.nothing)))
        case .otherMethods(let methods):
            let methods = methods.map(\.rawValue).joined(separator: ", ")
            let allow = HTTPField(name: .allow, value: methods)
            return .failure(
                ResponseError(.problem(.methodNotAllowed, "only \(methods) can be used here", fields: [allow]))
            )
        case .endpoint(let found, let values): (place, endpoint, variables) = (found.place, found.endpoint, values)
        }
        let generation = access.generation
        var request = Endpoint.Request(
            variables: variables, target: target, arrival: head.arrival, requester: Requester(client: head.client),
            certificateSubject: head.certificateSubject, fields: head.fields, connectionEnd: head.connectionEnd)
        if let response = admit(&request, to: endpoint) {
            return .failure(ResponseError(response, endpoint: place))
        }
        if let contentType = endpoint.body.contentType, let response = Self.mediaTypeProblem(head, contentType) {
            return .failure(ResponseError(response, endpoint: place))
        }
        var bodyLimit: Int?
        if case .json(let maximumOctets) = endpoint.body { bodyLimit = maximumOctets }
        // Endpoints with parameters report unknown ones together with invalid values.
        if endpoint.parameters.isEmpty, !target.query.isEmpty {
            do throws(InvalidFields) {
                try target.readParameters([]) { _, _, _ in }
            } catch {
                return .failure(ResponseError(.invalid(error), endpoint: place))
            }
        }
        // Only with an index it waits.
        let mayWait = endpoint.parameters.contains("wait") && target.query.contains("index=")
        var resolved = ResolvedRequest(bodyLimit: bodyLimit, endpoint: place, mayWait: mayWait) { [request] body in
            var request = request
            // The tokens may have been replaced while the body came.
            if access.generation != generation, let response = admit(&request, to: endpoint) { return response }
            return await respond(to: request, body, at: endpoint)
        }
        if let receiver = endpoint.receiver {
            resolved.receive = { [request] in
                if endpoint.needsRegistry, !registry.isLoaded {
                    return .failure(ResponseError(.loading(registry.storeState)))
                }
                return await receiver(self, request).map { receiver in
                    AdmittedReceiver(receiver: receiver) {
                        var request = request
                        return access.generation == generation ? nil : admit(&request, to: endpoint)
                    }
                }
            }
        }
        return .success(resolved)
    }

    /// Takes in a body, unless its sender is admitted no longer when it is complete.
    private struct AdmittedReceiver: BodyReceiver {
        let receiver: any BodyReceiver
        let refusal: @Sendable () -> ServerResponse?

        func take(_ octets: ByteBuffer) async -> ServerResponse? { await receiver.take(octets) }

        func finish() async -> ServerResponse {
            if let response = refusal() { return response }
            return await receiver.finish()
        }
    }

    /// Counts a request for its client.
    ///
    /// - Returns: the answer if there were too many.
    private func limited(_ match: EndpointTable.Match, _ client: IPAddress?) -> ServerResponse? {
        let kind: RequestLimiter.Kind?
        if case .endpoint(let found, _) = match { kind = found.endpoint.limit } else { kind = .requests }
        guard let kind, let client, let wait = limiter.take(kind, from: client) else { return nil }
        return .tooMany(kind, perSecond: limiter.requestsPerSecond, wait: wait)
    }

    /// Finds out who sends a request.
    ///
    /// - Returns: the answer if it is not admitted.
    private func admit(_ request: inout Endpoint.Request, to endpoint: Endpoint) -> ServerResponse? {
        guard let role = endpoint.access.role else { return nil }
        do throws(AccessRefusal) {
            request.requester = try access.admit(
                credentials: request.fields["authorization"], subject: request.certificateSubject,
                client: request.client, for: role)
            return nil
        } catch {
            access.refusals.note(error, client: request.client, endpoint: endpoint.title)
            return .refused(error)
        }
    }

    private func respond(to request: Endpoint.Request, _ body: ByteBuffer, at endpoint: Endpoint) async
        -> ServerResponse
    {
        // An instance that is not loaded yet must not be called unknown, or be registered a second time.
        if endpoint.needsRegistry, !registry.isLoaded { return .loading(registry.storeState) }
        var request = request
        request.body = body
        return await endpoint.handler(self, request)
    }

    /// Why a body can't be read, judging by the request's head.
    private static func mediaTypeProblem(_ head: RequestHead, _ type: String) -> ServerResponse? {
        let types = head.fields["content-type"]
        guard !types.isEmpty, types.allSatisfy({ isType(type, $0) }) else {
            return .problem(.unsupportedMediaType, "the Content-Type must be \(type)")
        }
        let codings = head.fields["content-encoding"]
        guard codings.allSatisfy({ $0.isEmpty || $0.lowercased() == "identity" }) else {
            return .problem(
                .unsupportedMediaType, "the body must not have a Content-Encoding",
                fields: [HTTPField(name: .acceptEncoding, value: "identity")])
        }
        return nil
    }

    /// Whether a Content-Type is a media type, with or without parameters (RFC 9110 §8.3).
    private static func isType(_ type: String, _ contentType: String) -> Bool {
        if contentType == type { return true }
        let end = contentType.utf8.firstIndex(of: UInt8(ascii: ";")) ?? contentType.endIndex
        let given = contentType[..<end].lowercased()
        return String(given.trimmingPrefix { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }) == type
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
