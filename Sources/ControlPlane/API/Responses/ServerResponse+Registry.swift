import HTTPTypes

extension ServerResponse {
    /// 422 for a registration beyond a limit.
    static func refused(_ limit: RegistryLimit) -> ServerResponse {
        problem(
            .unprocessableContent, limit.errors.map(\.message).joined(separator: "; "), errors: limit.errors)
    }

    /// The answer to a change that the registry can't accept now.
    static func unavailable(_ error: RegistryError) -> ServerResponse { busy(error.words) }

    /// 503, with the reason, while it is not known what is registered.
    static func loading(_ store: StoreState) -> ServerResponse {
        notReady("the registry is not loaded yet", store)
    }

    /// 503 while the server is not ready, with the reason why its storage is not.
    static func notReady(_ what: String, _ store: StoreState) -> ServerResponse {
        busy(what + (store.problem.map { "; storage: \($0)" } ?? ""))
    }

    /// 404 for an instance.
    static func unknownInstance(_ id: String) -> ServerResponse {
        problem(.notFound, "there is no instance with the id '\(id)'")
    }
}

extension RegistryError {
    /// What it is, for people.
    var words: String {
        switch self {
        case .overloaded: "too many changes are waiting"
        case .storeUnavailable(let error): "the storage can't keep changes now: \(error.reason)"
        case .loading: "the registry is not loaded yet"
        case .stopping: "the server is about to stop"
        }
    }
}
