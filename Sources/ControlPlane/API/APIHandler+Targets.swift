import HTTPTypes
import NIOCore

extension APIHandler {
    /// `GET /api/v1/sd/prometheus`
    func targets(_ request: Endpoint.Request) async -> ServerResponse {
        let query: TargetsQuery
        do throws(InvalidFields) {
            query = try TargetsQuery(request.target)
        } catch {
            return .invalid(error)
        }
        let reader = OctetBudget.Holder(streamMemory.share(for: request.client), octets: TargetStream.octetsPerReader)
        guard let reader else { return .busy("too many lists of targets are being read") }
        let stream = TargetStream(registry: registry, filter: query.filter)
        guard let first = await largeAnswers.run({ await stream.part(after: nil) }) else {
            return .busy("too many long lists are asked for at once")
        }
        var response = ServerResponse(status: .ok, contentType: "application/json")
        if first.isLast {
            response.body = first.text
        } else {
            response.stream = StreamedBody(partTimeout: .seconds(60)) { [snapshots] writer in
                try await stream.send(first, snapshots, writer)
                withExtendedLifetime(reader) {}
            }
        }
        return response.at(index: first.index)
    }
}
