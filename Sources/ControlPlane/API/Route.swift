import HTTPTypes

/// What a path leads to.
enum Route: Sendable, Equatable {
    /// `/api/v1/services`
    case services
    /// `/api/v1/services/{id}`; `batch` is an id like any other, but for POST.
    case service(id: String)
    /// `/api/v1/services/{id}/heartbeat`
    case heartbeat(id: String)
    /// `/api/v1/heartbeats`
    case heartbeats
    /// `/api/v1/names`
    case names
    /// `/api/v1/status`
    case status
    /// `/api/v1/health`
    case health
    /// `/api/v1/cache`
    case cache
    /// `/healthz`
    case alive
    /// `/ready`
    case ready
    /// `/openapi.yaml`
    case description

    /// The route of a path; `nil`: there is nothing.
    init?(segments: [String]) {
        if segments.count >= 3, segments[0] == "api", segments[1] == "v1" {
            switch (segments[2], segments.count) {
            case ("services", 3): self = .services
            case ("services", 4) where !segments[3].isEmpty: self = .service(id: segments[3])
            case ("services", 5) where !segments[3].isEmpty && segments[4] == "heartbeat":
                self = .heartbeat(id: segments[3])
            case ("heartbeats", 3): self = .heartbeats
            case ("names", 3): self = .names
            case ("status", 3): self = .status
            case ("health", 3): self = .health
            case ("cache", 3): self = .cache
            default: return nil
            }
            return
        }
        switch segments {
        case ["healthz"]: self = .alive
        case ["ready"]: self = .ready
        case ["openapi.yaml"]: self = .description
        default: return nil
        }
    }

    /// What it can be asked with (RFC 9110 §10.2.1).
    var methods: [HTTPRequest.Method] {
        switch self {
        case .services: [.get, .head, .post]
        case .service(let id): [.get, .head, .patch, .delete] + (id == "batch" ? [.post] : [])
        case .heartbeat: [.put]
        case .heartbeats: [.post]
        case .cache: [.delete]
        case .names, .status, .health, .alive, .ready, .description: [.get, .head]
        }
    }

    /// Whether it has query parameters, other than for POST; elsewhere any is an error.
    var allowsParameters: Bool {
        switch self {
        case .services, .names, .cache: true
        case .service, .heartbeat, .heartbeats, .status, .health, .alive, .ready, .description: false
        }
    }

    /// Whether its answer is made of what is registered.
    var needsRegistry: Bool {
        switch self {
        case .services, .service, .heartbeat, .heartbeats, .names: true
        case .cache, .status, .health, .alive, .ready, .description: false
        }
    }
}
