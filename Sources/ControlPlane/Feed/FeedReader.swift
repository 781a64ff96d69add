import Synchronization

/// Somebody who waits for changes: the feed tells when there are some, and nothing is kept for it.
final class FeedReader: Sendable {
    /// What a reader was woken for.
    struct News: Sendable, Equatable {
        /// The index of the first change that may concern it; `nil`: there is none.
        var from: UInt64?
        /// Whether its time is over.
        var isTimeOver = false
        /// Whether nobody waits for it any longer, or the server is about to stop.
        var hasEnded = false

        fileprivate var isEmpty: Bool { from == nil && !isTimeOver && !hasEnded }
    }

    private struct State {
        var news = News()
        var waiting: CheckedContinuation<Void, Never>?
    }

    /// What it wants to hear of.
    let interest: FeedInterest
    private let state = Mutex(State())

    init(_ interest: FeedInterest) {
        self.interest = interest
    }

    /// Notes changes.
    ///
    /// - Parameter index: that of the first.
    func note(from index: UInt64) { change { $0.from = $0.from ?? index } }

    /// Notes that its time is over.
    func noteTime() { change { $0.isTimeOver = true } }

    /// Notes that nobody waits for it any longer.
    func end() { change { $0.hasEnded = true } }

    /// Whether nobody waits for it any longer.
    var hasEnded: Bool { state.withLock { $0.news.hasEnded } }

    /// Takes what there is.
    func take() -> News {
        state.withLock { state in
            // The end stays.
            defer { state.news = News(hasEnded: state.news.hasEnded) }
            return state.news
        }
    }

    /// Waits until there is something, and takes it.
    nonisolated(nonsending) func next() async -> News {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if !state.news.isEmpty { return true }
                state.waiting = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
        return take()
    }

    private func change(_ change: (inout News) -> Void) {
        let waiting = state.withLock { state in
            change(&state.news)
            return state.waiting.take()
        }
        waiting?.resume()
    }
}
