extension APIHandler {
    /// Waits until something that a client has not seen concerns it, its time is over, or it has gone.
    ///
    /// - Returns: an error instead of the list; `nil`: the list is to be answered.
    func wait(
        _ wait: ChangeWait, for interest: FeedInterest, _ request: Endpoint.Request
    ) async -> ServerResponse? {
        let end = request.connectionEnd
        let feed = registry.feed
        // An index above the present one is another server's, or from before a restart.
        guard let index = wait.index, wait.time > .zero, index <= registry.publication.index else { return nil }
        guard let subscription = feed.subscribe(interest) else { return .tooManyReaders }
        let reader = subscription.reader
        end?.whenItComes { reader.end() }
        defer { end?.forget() }
        let forget = access.whenRevoked(request.requester) { reader.end() }
        defer { forget() }
        let cancel = registry.timers.every(Self.maximumPeriod, after: wait.time) { reader.noteTime() }
        defer { cancel() }
        var position = index
        while true {
            let last = feed.lastIndex
            if feed.hasChange(for: interest, after: position) { return nil }
            position = max(position, last)
            let news = await reader.next()
            // What has changed since is not for one whose token is gone.
            if news.hasEnded, !access.isValid(request.requester) {
                return .refused(request.requester.token == nil ? .noToken : .unknownToken)
            }
            if news.hasEnded || news.isTimeOver { return nil }
            if let from = news.from { position = max(position, from - 1) }
        }
    }

    /// Longer than anything waits: a timer that fires once.
    private static let maximumPeriod = Duration.seconds(3600)
}

extension ServerResponse {
    /// 503 when too many clients wait for changes.
    static let tooManyReaders = busy("too many clients wait for changes")
}
