import HTTPTypes
import NIOHTTP1

extension APIHandler {
    /// `GET /api/v1/events`
    func events(_ request: Endpoint.Request) -> ServerResponse {
        do throws(InvalidFields) {
            let query = try EventsQuery(request.target, request.fields)
            let interest = FeedInterest(subject: .events, filter: query.filter)
            guard let subscription = registry.feed.subscribe(interest) else { return .tooManyReaders }
            let index = registry.publication.index
            let stream = EventStream(
                registry: registry, subscription: subscription, start: start(query, at: index),
                snapshots: snapshots, end: request.connectionEnd, access: access, requester: request.requester)
            var response = ServerResponse(status: .ok, contentType: "text/event-stream")
            response.stream = StreamedBody { writer in try await stream.run(writer) }
            if let buffering = HTTPField.Name("X-Accel-Buffering") {
                // Kong, as all of nginx, would hold events back.
                response.fields.append(HTTPField(name: buffering, value: "no"))
            }
            response.fields.append(HTTPField(name: .cacheControl, value: "no-store"))
            return response.at(index: index)
        } catch {
            return .invalid(error)
        }
    }

    private func start(_ query: EventsQuery, at index: UInt64) -> EventStream.Start {
        guard let id = query.lastEventID else { return query.hasSnapshot ? .snapshot : .position(index) }
        guard let position = FeedPosition(id), position.identity == registry.feed.identity else {
            return .reset("the last event was another server's, or it came before a restart")
        }
        return registry.feed.isKnown(position)
            ? .position(position.index) : .reset("too many changes have come since the last event")
    }
}

extension ServerResponse {
    private static let indexName = HTTPField.Name("X-Registry-Index")

    /// The answer with the index of the last change that it is sure to show.
    func at(index: UInt64) -> ServerResponse {
        guard let name = Self.indexName else { return self }
        var response = self
        response.fields.append(HTTPField(name: name, value: String(index)))
        return response
    }
}
