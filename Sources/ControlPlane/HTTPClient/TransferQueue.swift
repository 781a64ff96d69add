/// Transfers that wait for a connection, by origin.
///
/// libcurl has such a queue too, but there a host at its limit holds up the others, and waiting transfers do not time
/// out.
struct TransferQueue {
    private struct Origin {
        var runningCount = 0
        var waiting: [Transfer] = []
        /// Whether the origin is in `ready`.
        var isReady = false
    }

    private let maximumRunning: Int
    private let maximumRunningPerOrigin: Int
    private var runningCount = 0
    private var origins: [String: Origin] = [:]
    /// Origins whose next transfer may run, each once; they take turns.
    private var ready: [String] = []
    /// No later than the first deadline of the waiting transfers.
    private(set) var nextDeadline: ContinuousClock.Instant?

    init(maximumRunning: Int, maximumRunningPerOrigin: Int) {
        self.maximumRunning = maximumRunning
        self.maximumRunningPerOrigin = maximumRunningPerOrigin
    }

    /// Adds a waiting transfer.
    mutating func append(_ transfer: Transfer) {
        origins[transfer.origin, default: Origin()].waiting.append(transfer)
        if let deadline = transfer.deadline { nextDeadline = min(nextDeadline ?? deadline, deadline) }
        update(transfer.origin)
    }

    /// Removes a transfer that is to run now; call ``release(_:)`` when it has ended.
    mutating func next() -> Transfer? {
        while runningCount < maximumRunning, !ready.isEmpty {
            let key = ready.removeFirst()
            origins[key]?.isReady = false
            defer { update(key) }
            // Its waiting transfers may have been removed.
            guard let origin = origins[key], !origin.waiting.isEmpty else { continue }
            runningCount += 1
            origins[key]?.runningCount += 1
            return origins[key]?.waiting.removeFirst()
        }
        return nil
    }

    /// Frees the place of a transfer that has run.
    mutating func release(_ transfer: Transfer) {
        runningCount -= 1
        origins[transfer.origin]?.runningCount -= 1
        update(transfer.origin)
    }

    /// Removes the waiting transfers that fulfil a condition.
    mutating func removeWaiting(where isUnwanted: (Transfer) -> Bool) -> [Transfer] {
        var removed: [Transfer] = []
        nextDeadline = nil
        for (key, origin) in origins {
            var kept: [Transfer] = []
            for transfer in origin.waiting {
                // Ask once for each: another thread may cancel it at any time.
                if isUnwanted(transfer) {
                    removed.append(transfer)
                    continue
                }
                kept.append(transfer)
                if let deadline = transfer.deadline { nextDeadline = min(nextDeadline ?? deadline, deadline) }
            }
            origins[key]?.waiting = kept
            origins[key]?.isReady = origin.isReady && !kept.isEmpty
            update(key)
        }
        ready.removeAll { origins[$0]?.isReady != true }
        return removed
    }

    /// Adds an origin to `ready` if its next transfer may run, and removes it if nothing is left of it.
    private mutating func update(_ key: String) {
        guard let origin = origins[key], !origin.isReady else { return }
        if origin.waiting.isEmpty {
            if origin.runningCount == 0 { origins[key] = nil }
        } else if origin.runningCount < maximumRunningPerOrigin {
            origins[key]?.isReady = true
            ready.append(key)
        }
    }
}
