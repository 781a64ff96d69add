import NIOHTTP1

/// The parameters of `GET /api/v1/events`.
struct EventsQuery: Sendable, Equatable {
    static let parameterNames = ["name", "tag", "snapshot", "last_event_id"]

    var filter = InstanceFilter()
    /// Whether all instances come first.
    var hasSnapshot = false
    /// The `id` of the last event that the client has had.
    var lastEventID: String?

    /// Reads the parameters of a request.
    init(_ target: RequestTarget, _ fields: HTTPHeaders) throws(InvalidFields) {
        try target.readParameters(Self.parameterNames) { name, value, errors in
            switch (name, value) {
            case ("name", _): filter.name = value.lowercased()
            case ("tag", _): filter.tag = value.lowercased()
            case ("last_event_id", _): lastEventID = value
            case (_, "true"): hasSnapshot = true
            case (_, "false"): hasSnapshot = false
            default: errors.append(FieldError(field: name, message: "must be true or false"))
            }
        }
        // A browser that connects again sends it, with the parameters that it began with.
        if let id = fields.first(name: "last-event-id"), !id.isEmpty { lastEventID = id }
    }
}
