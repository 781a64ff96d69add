import Synchronization

/// Up to which change DNS answers, and who waits for a later one: usually for milliseconds.
final class Publication: Sendable {
    private struct State {
        var hasEnded = false
        var waiting: [(index: UInt64, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let published = Atomic<UInt64>(0)
    private let state = Mutex(State())

    /// The index of the last change that DNS answers with. Reading it never waits.
    var index: UInt64 { published.load(ordering: .acquiring) }

    /// Notes that DNS answers with all changes up to one.
    func advance(to index: UInt64) {
        let ready = state.withLock { state in
            published.store(max(index, self.index), ordering: .releasing)
            let ready = state.waiting.filter { $0.index <= index }
            if !ready.isEmpty { state.waiting.removeAll { $0.index <= index } }
            return ready
        }
        for waiting in ready { waiting.continuation.resume() }
    }

    /// Waits until DNS answers with a change.
    nonisolated(nonsending) func reach(_ index: UInt64) async {
        if self.index >= index { return }
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.hasEnded || self.index >= index { return true }
                state.waiting.append((index, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    /// Lets everybody go on: nothing is published any more.
    func end() {
        let all = state.withLock { state in
            defer { state.waiting = [] }
            state.hasEnded = true
            return state.waiting
        }
        for waiting in all { waiting.continuation.resume() }
    }
}
