@testable import ControlPlane

/// What etcd does with keys according to its documentation: a map, a revision for each change, and a log of changes.
struct EtcdModel {
    struct Value: Equatable {
        var value: [UInt8]
        var revision: Int64
        var lease: Int64
    }

    struct Event: Equatable {
        var key: String
        /// `nil`: it was deleted.
        var value: Value?
    }

    private(set) var revision: Int64 = 1
    private(set) var keys: [String: Value] = [:]
    /// The events at each revision from 2 on.
    private(set) var log: [[Event]] = []

    /// Carries out a transaction.
    ///
    /// - Returns: whether its conditions held, and the values that it reads if it fails.
    mutating func commit(_ transaction: EtcdTransaction) -> (hasSucceeded: Bool, found: [Value?]) {
        let holds = transaction.conditions.allSatisfy { condition in
            let revision = keys[condition.key]?.revision ?? 0
            return condition.isLimit ? revision <= condition.revision : revision == condition.revision
        }
        let operations = holds ? transaction.success : transaction.failure
        var events: [Event] = []
        var found: [Value?] = []
        for operation in operations {
            switch operation {
            case .put(let key, let value, let lease):
                let entry = Value(value: value, revision: revision + 1, lease: lease)
                keys[key] = entry
                events.append(Event(key: key, value: entry))
            case .delete(let key):
                if keys.removeValue(forKey: key) != nil { events.append(Event(key: key, value: nil)) }
            case .get(let key):
                found.append(keys[key])
            }
        }
        record(events)
        return (holds, found)
    }

    /// Sets a key.
    mutating func put(_ key: String, _ value: [UInt8], lease: Int64 = 0) {
        _ = commit(EtcdTransaction(success: [.put(key: key, value: value, lease: lease)]))
    }

    /// Deletes keys at once, as when their lease ends.
    mutating func delete(_ unwanted: some Sequence<String>) {
        record(unwanted.filter { keys.removeValue(forKey: $0) != nil }.map { Event(key: $0, value: nil) })
    }

    /// The events of the revisions after the given one.
    func events(after revision: Int64) -> ArraySlice<[Event]> {
        log[Int(max(0, min(revision - 1, Int64(log.count))))...]
    }

    private mutating func record(_ events: [Event]) {
        if events.isEmpty { return }
        revision += 1
        log.append(events)
    }
}
