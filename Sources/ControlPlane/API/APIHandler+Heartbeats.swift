import NIOCore

extension APIHandler {
    /// `PUT /api/v1/services/{id}/heartbeat`
    ///
    /// - Parameter arrival: when its head was read from its connection. The ttl counts from then, even if the request
    ///   had to wait.
    func heartbeat(_ id: String, arrival: Moment) -> ServerResponse {
        guard let lease = registry.renew(id: id, heardAt: arrival) else { return .unknownInstance(id) }
        return .json(capacity: 128) { writer in
            writer.beginObject()
            writer.member("id")
            writer.string(id)
            writer.member("expires_at")
            writer.time(lease.expiresAt)
            writer.endObject()
        }
    }

    /// `POST /api/v1/heartbeats`
    ///
    /// - Parameter arrival: when its head was read from its connection.
    func heartbeats(_ body: ByteBuffer, arrival: Moment) -> ServerResponse {
        do {
            let request = try decoder.heartbeats(Self.json(body))
            let (renewed, unknown) = registry.renew(ids: request.ids, heardAt: arrival)
            return .json { writer in
                writer.beginObject()
                writer.member("renewed")
                writer.integer(renewed)
                writer.member("unknown")
                writer.beginArray()
                for id in unknown { writer.string(id) }
                writer.endArray()
                writer.endObject()
            }
        } catch {
            return Self.response(to: error)
        }
    }
}
