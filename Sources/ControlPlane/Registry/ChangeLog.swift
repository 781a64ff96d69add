import Engine
import Logging
import Synchronization

/// Logs each change of the registry: one line that says what, who and why. Of more than a hundred in a second the
/// others are counted by kind.
final class ChangeLog: Sendable {
    private struct State {
        var limit = LineLimit()
        /// Changes without a line, by kind.
        var left: [ChangeKind: Int] = [:]
    }

    private let logger: Logger
    private let time: TimeSource
    private let timers: any Timers
    private let state = Mutex(State())

    init(logger: Logger, time: TimeSource, timers: any Timers) {
        self.logger = logger
        self.time = time
        self.timers = timers
    }

    /// Logs changes of instances and policies: at the level `debug` all of them.
    func note(_ changes: ArraySlice<InstanceChange>, _ policies: ArraySlice<PolicyChange> = []) {
        if logger.logLevel > .info { return }
        for change in changes {
            guard let kind = ChangeKind(change), isWritten(kind) else { continue }
            write(ChangeLine(change, kind))
        }
        for change in policies where change.reason != .loaded && isWritten(.policy) { write(ChangeLine(change)) }
    }

    private func write(_ line: ChangeLine) {
        logger.info("\(line.message)", metadata: line.metadata)
    }

    private func isWritten(_ kind: ChangeKind) -> Bool {
        if logger.logLevel <= .debug { return true }
        let (answer, window) = state.withLock { state in
            let answer = state.limit.take(now: time.now().monotonic)
            if answer != .written { state.left[kind, default: 0] += 1 }
            return (answer, state.limit.window)
        }
        if answer == .firstLeft { timers.once(after: window) { [self] in tellOfOthers() } }
        return answer == .written
    }

    private func tellOfOthers() {
        let (count, left) = state.withLock { state in
            defer { state.left = [:] }
            return (state.limit.takeLeft(), state.left)
        }
        if count == 0 { return }
        var metadata: Logger.Metadata = ["count": "\(count)"]
        for (kind, count) in left { metadata[kind.rawValue] = "\(count)" }
        logger.info("more has changed", metadata: metadata)
    }
}

/// What has happened to an instance or a service, as the log counts it.
enum ChangeKind: String, Sendable {
    case registered
    case updated
    case deregistered
    case expired
    case drained
    case undrained
    case status
    case policy

    /// The kind of a change; `nil`: it is not worth a line, like a check that finds the same again.
    init?(_ change: InstanceChange) {
        if change.reason == .loaded { return nil }
        guard let new = change.new else {
            self = change.reason == .expired ? .expired : .deregistered
            return
        }
        guard let old = change.old else {
            self = .registered
            return
        }
        switch (old.status, new.status) {
        case (let before, .draining) where before != .draining: self = .drained
        case (.draining, let after) where after != .draining: self = .undrained
        case (let before, let after) where before != after: self = .status
        default:
            switch change.reason {
            case .check(let name):
                guard let check = new.instance.checks.first(where: { $0.name == name }),
                    old.result(of: check).status != new.result(of: check).status
                else { return nil }
                self = .status
            case .brake: return nil
            case .request, .requested, .expired, .anotherNode, .loaded: self = .updated
            }
        }
    }
}

/// What the log says about a change.
struct ChangeLine {
    var message: String
    var metadata: Logger.Metadata

    /// The line about a change of an instance.
    init(_ change: InstanceChange, _ kind: ChangeKind) {
        guard let shown = change.new ?? change.old else {
            (message, metadata) = ("nothing has changed", [:])
            return
        }
        let instance = shown.instance
        metadata = [
            "id": "\(instance.id)", "name": "\(instance.name)", "address": "\(instance.address)",
            "port": "\(instance.port)", "reason": "\(Self.reason(change.reason))",
        ]
        switch kind {
        case .registered: message = "instance registered"
        case .deregistered: message = "instance deregistered"
        case .expired:
            message = "instance expired"
            metadata["reason"] = "no heartbeat for \(instance.ttlSeconds) s"
        case .drained: message = "instance is drained"
        case .undrained: message = "instance is not drained any more"
        case .updated, .policy: message = "instance updated"
        case .status:
            message = "instance has another status"
            metadata["status"] = "\(shown.status.rawValue)"
        }
        if let old = change.old?.instance, old.name != instance.name { metadata["old_name"] = "\(old.name)" }
        if case .check(let name) = change.reason, let check = instance.checks.first(where: { $0.name == name }) {
            let result = shown.result(of: check)
            if change.old?.status == change.new?.status { metadata["check_status"] = "\(result.status.rawValue)" }
            if !result.output.isEmpty { metadata["output"] = "\(result.output)" }
        }
        note(change.reason)
    }

    /// The line about a change of a policy.
    init(_ change: PolicyChange) {
        message = change.policy == nil ? "policy removed" : "policy set"
        metadata = ["name": "\(change.name)", "reason": "\(Self.reason(change.reason))"]
        if let policy = change.policy { metadata["policy"] = "\(String(decoding: policy, as: UTF8.self))" }
        note(change.reason)
    }

    /// Notes who has asked for it.
    private mutating func note(_ reason: ChangeReason) {
        guard case .requested(let requester) = reason else { return }
        if let token = requester.token { metadata["token"] = "\(token.name)" }
        metadata["client"] = "\(requester.client.map(\.description) ?? "unknown")"
    }

    private static func reason(_ reason: ChangeReason) -> String {
        switch reason {
        case .request, .requested: "request"
        case .expired: "expired"
        case .check(let name): "check \(name)"
        case .brake(let name): name
        case .anotherNode: "another node"
        case .loaded: "loaded"
        }
    }
}
