import NIOCore

extension APIHandler {
    /// `PUT /api/v1/services/{id}/heartbeat`
    ///
    /// The ttl counts from the request's arrival, even if it had to wait.
    func heartbeat(_ request: Endpoint.Request) -> ServerResponse {
        let id = request.id
        switch registry.renew(id: id, heardAt: request.arrival, by: request.requester) {
        case .unknown: return .unknownInstance(id)
        case .denied(let denial): return denied(denial, request)
        case .renewed(let lease):
            return .json(capacity: 128) { writer in
                writer.beginObject()
                writer.member("id")
                writer.string(id)
                writer.member("expires_at")
                writer.time(lease.expiresAt)
                writer.endObject()
            }
        }
    }

    /// `POST /api/v1/heartbeats`
    func heartbeats(_ request: Endpoint.Request) -> ServerResponse {
        do {
            let ids = try decoder.heartbeats(Self.json(request.body)).ids
            let renewals = registry.renew(ids: ids, heardAt: request.arrival, by: request.requester)
            note(renewals.denials, request)
            return .json { writer in
                writer.beginObject()
                writer.member("renewed")
                writer.integer(renewals.renewed)
                writer.member("unknown")
                writer.beginArray()
                for id in renewals.unknown { writer.string(id) }
                writer.endArray()
                if !renewals.denied.isEmpty {
                    writer.member("forbidden")
                    writer.beginArray()
                    for id in renewals.denied { writer.string(id) }
                    writer.endArray()
                }
                writer.endObject()
            }
        } catch {
            return Self.response(to: error)
        }
    }
}
