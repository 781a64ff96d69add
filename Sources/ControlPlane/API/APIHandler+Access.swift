extension APIHandler {
    /// Counts a change that is not allowed, and logs it.
    ///
    /// - Returns: the answer to its request.
    func denied(_ denial: Denial, _ request: Endpoint.Request) -> ServerResponse {
        access.refusals.note(denial, by: request.requester)
        return .denied(denial, to: request.requester)
    }

    /// Counts those changes of a request that are not allowed, and logs the first.
    func note(_ denials: [Denial], _ request: Endpoint.Request) {
        guard let first = denials.first else { return }
        access.refusals.note(first, by: request.requester, count: denials.count)
    }
}
