@testable import ControlPlane

/// A change that a client requested, or a checker decided on.
struct Operation: CustomStringConvertible {
    enum Kind { case register, patch, deregister }

    enum Result {
        case kept
        /// There was no such instance.
        case refused
        /// The change may have been made, may still be made, or neither.
        case unknown
    }

    /// The number of the operation. It is also the weight that it gives the instance, which tells its effect from
    /// others'.
    let version: Int
    let kind: Kind
    let id: String
    let start: Microseconds
    var end: Microseconds?
    var result: Result?
    /// The command that was requested.
    var command: RegistryCommand?
    /// Whether a checker decided on it: nobody is answered.
    var isExpulsion = false
    /// Whether it must have happened by now if it ever does, although its result is unknown.
    var isDecided = false

    /// Whether it may have happened, or may still happen.
    var isOpen: Bool { result != .kept && result != .refused && !isDecided }

    var description: String { "\(kind) \(id) v\(version)" }
}

/// All changes that clients requested, and what follows from their answers. An operation that was answered, and began
/// when another was over, comes after it: its effect is the one that counts.
final class History: @unchecked Sendable {
    /// How long an operation with an unknown result may still happen: etcd gives up after 7 s. `nil`: until something
    /// else is kept.
    var afterlife: Microseconds? = .seconds(12)
    /// How long something that is over may still be shown.
    var lateness: Microseconds = 0
    unowned let world: World
    /// How long the removal of an instance by a checker may still happen: it waits for its turn with results of checks.
    private static let expulsionTime = Microseconds.seconds(12)
    /// Changes of another kind that are kept in the same place.
    var companion: History?
    private(set) var operations: [Operation] = []
    private var byID: [String: [Int]] = [:]
    private var ttls: [String: Int] = [:]
    private(set) var ids: [String] = []
    /// Whether etcd has forgotten when a change was made. A node that has not heard of the change by then never will,
    /// and writes again what it knows.
    var isForgotten: (_ version: Int) -> Bool = { _ in false }

    init(_ world: World) { self.world = world }

    /// The seconds that an instance lives without heartbeats; `nil`: for ever.
    func ttl(of id: String) -> Int? { ttls[id] }

    func add(id: String, ttl: Int) {
        if byID[id] != nil { return }
        ids.append(id)
        byID[id] = []
        if ttl > 0 { ttls[id] = ttl }
    }

    func begin(_ kind: Operation.Kind, _ id: String) -> Operation {
        let operation = Operation(version: operations.count + 1, kind: kind, id: id, start: world.now)
        operations.append(operation)
        byID[id]?.append(operations.count - 1)
        return operation
    }

    func note(_ command: RegistryCommand, of version: Int) { operations[version - 1].command = command }

    /// A checker has decided that an instance is to be removed.
    func beginExpulsion(of id: String) -> Operation {
        let operation = begin(.deregister, id)
        operations[operation.version - 1].isExpulsion = true
        end(operation.version, .unknown)
        return operation
    }

    /// Something was kept, and changes are kept one after the other: an earlier one that failed can't happen any more.
    func noteCommit() {
        companion?.noteCommit()
        if afterlife != nil { return }
        for index in operations.indices where operations[index].result == .unknown && !operations[index].isExpulsion {
            operations[index].isDecided = true
        }
    }

    func end(_ version: Int, _ result: Operation.Result) {
        operations[version - 1].end = world.now
        operations[version - 1].result = result
    }

    /// The time at which an operation is certainly over.
    private func isOver(_ operation: Operation) -> Microseconds {
        switch (operation.result, operation.end) {
        // A request of which etcd's answer was lost is made again, also if the watch has told of its effect already.
        case (.kept, let end?) where operation.isExpulsion: end + (afterlife ?? 0)
        case (.kept, let end?), (.refused, let end?): end
        case (.unknown, let end?):
            if operation.isDecided {
                end
            } else if operation.isExpulsion {
                end + Self.expulsionTime
            } else if let afterlife {
                end + afterlife
            } else {
                .max
            }
        default: .max
        }
    }

    /// An answered operation that came after the one of this version: the effect of that one must not be seen any more.
    ///
    /// - Parameter isRestored: whether the version was written again without a client. Then changes that etcd has
    ///   forgotten do not count.
    private func successor(
        of version: Int, _ id: String, ofKind kind: Operation.Kind? = nil, isRestored: Bool = false
    ) -> Operation? {
        let over = isOver(operations[version - 1])
        if over == .max { return nil }
        return (byID[id] ?? []).lazy.map { self.operations[$0] }.last {
            $0.result == .kept && $0.start > over && (kind == nil || $0.kind == kind)
                && !(isRestored && $0.kind != .deregister && self.isForgotten($0.version))
        }
    }

    /// Whether it is unknown if the operation of this version was made.
    func isOpen(version: Int) -> Bool { operations[version - 1].isOpen }

    /// When an instance was registered according to the backups that may have been restored by now, although nobody
    /// was answered.
    func timesOfRestorations(of id: String) -> [WallTime] {
        (byID[id] ?? []).map { operations[$0] }.filter(\.isOpen).compactMap {
            if case .restore(let asked)? = $0.command { asked.registeredAt } else { nil }
        }
    }

    /// Whether it is unknown if any operation of this kind was made.
    func isOpen(_ id: String, _ kind: Operation.Kind) -> Bool {
        (byID[id] ?? []).contains { operations[$0].kind == kind && operations[$0].isOpen }
    }

    /// Whether an answered operation came after the one of this version.
    func isOver(version: Int, of id: String) -> Bool { successor(of: version, id) != nil }

    // MARK: What must not happen

    /// Compares an instance with what was requested.
    func problemOfContent(_ instance: ServiceInstance) -> String? {
        let version = Int(instance.weight)
        guard operations.indices.contains(version - 1) else { return "\(instance.id) has the weight \(version)" }
        let isAsAsked =
            switch operations[version - 1].command {
            case .register(let asked):
                instance.id == asked.id && instance.name == asked.name && instance.address == asked.address
                    && instance.port == asked.port && instance.transport == asked.transport
                    && instance.tags == asked.tags && instance.metadata == asked.metadata
                    && instance.priority == asked.priority && instance.ttlSeconds == asked.ttlSeconds
                    && instance.dnsTTL == asked.dnsTTL && instance.hasDefaultDNSTTL == asked.hasDefaultDNSTTL
                    && instance.checks == asked.checks
            case .patch(let id, let patch): instance.id == id && patch.applied(to: instance) == instance
            case .restore(let asked): instance.isRestored(from: asked)
            case .deregister, .report, .expel, .setPolicy, .release, nil: false
            }
        return isAsAsked ? nil : "\(instance.id) v\(version) is not what was asked for: \(instance)"
    }

    /// From now on etcd has this version of an instance.
    ///
    /// - Parameter isOvertaken: whether the version is known not to be the newest, so that it will be written over.
    func problemOfWriting(_ version: Int, of id: String, isRestored: Bool, isOvertaken: Bool) -> String? {
        successor(of: version, id, ofKind: isOvertaken ? .deregister : nil, isRestored: isRestored).map {
            "\(id) v\(version) is written to etcd again, after \($0)"
        }
    }

    /// A node shows a version of an instance that it did not show before. It may be late, but only within the limit.
    func problemOfShowing(_ version: Int, of id: String) -> String? {
        guard let successor = successor(of: version, id, ofKind: .deregister), let end = successor.end,
            world.now > end + lateness
        else { return nil }
        return "\(id) v\(version) is back, after \(successor)"
    }

    /// Checks what a node shows after it has answered an operation.
    ///
    /// - Parameter version: what it shows; `nil`: nothing.
    func problemOfReading(_ version: Int?, after operation: Operation) -> String? {
        guard let version else {
            if operation.kind == .deregister || mayHaveLeft(operation.id, after: operation.version) { return nil }
            // The operation took longer than the instance lives.
            if let ttl = ttl(of: operation.id), world.now >= operation.start + .seconds(Int64(ttl)) { return nil }
            return operation.kind == .patch ? nil : "finds nothing"
        }
        if version == operation.version { return operation.kind == .deregister ? "is impossible" : nil }
        // Other operations may be under way at the same time.
        return isOver(operations[version - 1]) < operation.start ? "finds v\(version)" : nil
    }

    /// Whether an instance may have been deregistered after the operation of this version began.
    func mayHaveLeft(_ id: String, after version: Int) -> Bool {
        let time = operations[version - 1].start
        return (byID[id] ?? []).contains { index in
            let operation = operations[index]
            return operation.kind == .deregister && operation.result != .refused && isOver(operation) >= time
        }
    }

    /// Checks something that nobody but clients changes, such as a policy, where it is kept.
    ///
    /// - Parameter version: the version that is there; `nil`: none.
    func problemOfKeeping(_ version: Int?, of id: String) -> String? {
        if let version {
            guard operations.indices.contains(version - 1) else { return "\(id) is v\(version)" }
            return successor(of: version, id).map { "\(id) is v\(version), though \($0) came after it" }
        }
        let lost = (byID[id] ?? []).lazy.map { self.operations[$0] }.first {
            $0.kind == .register && $0.result == .kept && !self.mayHaveLeft(id, after: $0.version)
        }
        return lost.map { "\($0) is lost" }
    }

    /// Checks an instance once all is quiet.
    ///
    /// - Parameters:
    ///   - version: the version that is kept; `nil`: none.
    ///   - isRestored: whether it was written again without a client.
    ///   - isWanted: whether clients keep it alive.
    func problemInTheEnd(_ id: String, version: Int?, isRestored: Bool, isWanted: Bool) -> String? {
        if let version {
            if !isWanted, ttl(of: id) != nil { return "\(id) is still there, though nobody is heard of" }
            return successor(of: version, id, isRestored: isRestored).map {
                "\(id) is v\(version) in the end, though \($0) came after it"
            }
        }
        return isWanted ? "\(id) is not there in the end" : nil
    }
}

extension ServiceInstance {
    /// Whether it is what a backup has. Its place is the registry's, and nodes may have held it since.
    fileprivate func isRestored(from asked: ServiceInstance) -> Bool {
        var own = self
        own.sequence = asked.sequence
        own.isHeld = asked.isHeld
        return own == asked
    }
}
