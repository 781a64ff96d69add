import Engine
import HTTPTypes
import NIOCore

extension APIHandler {
    /// `POST /api/v1/services`
    func register(_ request: Endpoint.Request) async -> ServerResponse {
        do {
            let registration = try decoder.registration(Self.json(request.body), .from(request.client))
            let outcome = try await registry.register(registration, by: request.requester)
            if case .refused(let limit) = outcome { return .refused(limit) }
            if case .denied(let denial) = outcome { return denied(denial, request) }
            guard case .registered(let registered, let isNew) = outcome else {
                return .unknownInstance(registration.id)
            }
            var response = instance(registered, isNew ? .created : .ok)
            response.fields = [HTTPField(name: .location, value: "/api/v1/services/\(registered.instance.id)")]
            return response
        } catch {
            return Self.response(to: error)
        }
    }

    /// An instance as the body of an answer.
    func instance(_ registered: RegisteredInstance, _ status: HTTPResponse.Status = .ok) -> ServerResponse {
        .json(status) { $0.instance(registered, checks) }
    }

    /// `GET /api/v1/services`
    func list(_ request: Endpoint.Request) async -> ServerResponse {
        let query: ListQuery
        do throws(InvalidFields) {
            query = try ListQuery(request.target)
        } catch {
            return .invalid(error)
        }
        let interest = FeedInterest(subject: .instances, filter: query.filter)
        if let problem = await wait(query.wait, for: interest, request) { return problem }
        let read = await registry.reading(ofService: query.filter.name) {
            guard query.isShort else { return await longList(query, begun: nil) }
            var page = page(query)
            page.write(upTo: HTTPResponder.largeBodyOctets)
            return page.isComplete ? page.response : await longList(query, begun: page)
        }
        return read.value.at(index: read.index)
    }

    /// Makes a long list on another thread: heartbeats must not wait for readers.
    private func longList(_ query: ListQuery, begun: InstancePageWriter?) async -> ServerResponse {
        let response = await largeAnswers.run {
            var page = begun ?? page(query)
            page.write(upTo: InstancePageWriter.maximumOctets)
            return page.response
        }
        return response ?? .busy("too many long lists are asked for at once")
    }

    private func page(_ query: ListQuery) -> InstancePageWriter {
        InstancePageWriter(
            registry.list(after: query.after, limit: query.limit, filter: query.filter), checks: checks)
    }

    /// `GET /api/v1/services/{id}`
    func show(_ id: String) async -> ServerResponse {
        let read = await registry.publishedInstance(id: id)
        let response = read.value.map { instance($0) }
        return (response ?? .unknownInstance(id)).at(index: read.index)
    }

    /// `PATCH /api/v1/services/{id}`
    func patch(_ request: Endpoint.Request) async -> ServerResponse {
        let id = request.id
        do {
            let patch = try decoder.patch(Self.json(request.body))
            let outcome = try await registry.patch(id: id, patch, by: request.requester)
            if case .refused(let limit) = outcome { return .refused(limit) }
            if case .denied(let denial) = outcome { return denied(denial, request) }
            guard case .patched(let registered) = outcome else { return .unknownInstance(id) }
            return instance(registered)
        } catch {
            return Self.response(to: error)
        }
    }

    /// `DELETE /api/v1/services/{id}`
    func deregister(_ request: Endpoint.Request) async -> ServerResponse {
        do {
            let outcome = try await registry.deregister(id: request.id, by: request.requester)
            if case .denied(let denial) = outcome { return denied(denial, request) }
            guard case .deregistered = outcome else { return .unknownInstance(request.id) }
            return .empty(.noContent)
        } catch {
            return .unavailable(error)
        }
    }

    /// `POST /api/v1/services/batch`
    func batch(_ request: Endpoint.Request) async -> ServerResponse {
        do {
            let items = try decoder.batch(Self.json(request.body), .from(request.client)).items
            let requester = request.requester
            var commands: [RegistryCommand] = []
            commands.reserveCapacity(items.count)
            for case .success(let command) in items { commands.append(command) }
            let outcomes = try await registry.submit(commands, by: requester)
            note(outcomes.compactMap { if case .denied(let denial) = $0 { denial } else { nil } }, request)
            return .json(capacity: 32 + items.count * 64) { writer in
                writer.beginObject()
                writer.member("results")
                writer.beginArray()
                var next = 0
                for item in items {
                    switch item {
                    case .success(let command):
                        writer.batchResult(command, outcomes[next], requester)
                        next += 1
                    case .failure(let invalid):
                        writer.batchResult(422, invalid.errors)
                    }
                }
                writer.endArray()
                writer.endObject()
            }
        } catch {
            return Self.response(to: error)
        }
    }

    /// U+FEFF in UTF-8. Windows editors and shells put it before a text; a reader may skip it (RFC 8259 §8.1).
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The JSON of a body.
    static func json(_ body: ByteBuffer) throws(JSONError) -> JSONValue {
        let octets = body.readableBytesView
        return try JSONParser.parse(Array(octets.dropFirst(octets.starts(with: byteOrderMark) ? 3 : 0)))
    }

    /// The answer to a request that failed.
    static func response(to error: any Error) -> ServerResponse {
        switch error {
        case let error as JSONError:
            .problem(.badRequest, error.isJSON ? "\(error)" : "not JSON: \(error)")
        case let error as InvalidFields:
            .invalid(error)
        case let error as RegistryError:
            .unavailable(error)
        default:
            .unavailable(.storeUnavailable(StoreUnavailable(reason: "\(error)")))
        }
    }
}

extension JSONWriter {
    /// The result of one item of a batch.
    fileprivate mutating func batchResult(
        _ command: RegistryCommand, _ outcome: CommandOutcome, _ requester: Requester
    ) {
        if case .refused(let limit) = outcome { return batchResult(422, limit.errors) }
        if case .denied(let denial) = outcome { return batchResult(403, [denial.error(to: requester)]) }
        let status =
            switch outcome {
            case .registered(_, let isNew): isNew ? 201 : 200
            case .patched: 200
            case .reported: 200
            case .deregistered: 204
            case .policySet, .policyRemoved: 200
            case .unknownInstance, .unknownCheck, .unknownPolicy: 404
            case .refused: 422
            case .denied: 403
            }
        beginObject()
        member("status")
        integer(status)
        member("id")
        switch (outcome, command) {
        case (.registered(let registered, _), _): string(registered.instance.id)
        case (_, .register(let registration)): string(registration.id)
        case (_, .patch(let id, _)), (_, .deregister(let id)), (_, .report(let id, _)),
            (_, .setPolicy(let id, _)), (_, .release(let id)):
            string(id)
        case (_, .expel(let expulsion)): string(expulsion.instance.instance.id)
        case (_, .restore(let instance)): string(instance.id)
        }
        endObject()
    }

    /// The errors of one item of a batch.
    fileprivate mutating func batchResult(_ status: Int, _ errors: [FieldError]) {
        beginObject()
        member("status")
        integer(status)
        member("errors")
        fieldErrors(errors)
        endObject()
    }
}
