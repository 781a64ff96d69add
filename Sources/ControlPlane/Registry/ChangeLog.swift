import Logging
import Synchronization

/// Logs why instances leave DNS and come back: one line for each that expires, is drained, or has another status. What
/// clients ask for otherwise is not logged here.
final class ChangeLog: Sendable {
    private let logger: Logger
    private let time: TimeSource
    private let timers: any Timers
    private let limit = Mutex(LineLimit())

    init(logger: Logger, time: TimeSource, timers: any Timers) {
        self.logger = logger
        self.time = time
        self.timers = timers
    }

    /// Logs what is worth it: at the level `debug` everything, otherwise a hundred lines a second.
    func note(_ changes: ArraySlice<InstanceChange>) {
        let logsAll = logger.logLevel <= .debug
        for change in changes {
            guard let line = ChangeLine(change) else { continue }
            let answer = logsAll ? .written : limit.withLock { $0.take(now: time.now().monotonic) }
            switch answer {
            case .written: logger.info("\(line.message)", metadata: line.metadata)
            case .firstLeft: timers.once(after: limit.withLock { $0.window }) { [self] in tellOfOthers() }
            case .left: continue
            }
        }
    }

    private func tellOfOthers() {
        let count = limit.withLock { $0.takeLeft() }
        if count > 0 { logger.info("more instances have changed", metadata: ["count": "\(count)"]) }
    }
}

/// What the log says about a change.
struct ChangeLine {
    var message: String
    var metadata: Logger.Metadata

    /// The line about a change; `nil`: none is due.
    init?(_ change: InstanceChange) {
        // Most changes end here: nothing is made for them.
        guard let old = change.old, change.new.map({ $0.status != old.status }) ?? (change.reason == .expired) else {
            return nil
        }
        let instance = (change.new ?? old).instance
        metadata = [
            "id": "\(instance.id)", "name": "\(instance.name)", "address": "\(instance.address)",
            "port": "\(instance.port)",
        ]
        guard let new = change.new else {
            message = "instance expired"
            metadata["reason"] = "no heartbeat for \(instance.ttlSeconds) s"
            return
        }
        metadata["reason"] = "\(Self.reason(change.reason))"
        switch new.status {
        case .draining: message = "instance is drained"
        case _ where old.status == .draining: message = "instance is not drained any more"
        case let status:
            message = "instance has another status"
            metadata["status"] = "\(status.rawValue)"
        }
        if case .check(let name) = change.reason, let check = instance.checks.first(where: { $0.name == name }) {
            let output = new.result(of: check).output
            if !output.isEmpty { metadata["output"] = "\(output)" }
        }
    }

    private static func reason(_ reason: ChangeReason) -> String {
        switch reason {
        case .request: "request"
        case .expired: "expired"
        case .check(let name): "check \(name)"
        case .brake(let name): name
        case .anotherNode: "another node"
        case .loaded: "loaded"
        }
    }
}
