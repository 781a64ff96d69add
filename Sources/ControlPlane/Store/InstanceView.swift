import Synchronization

/// The table of all instances, usable on any thread.
final class InstanceView: Sendable {
    /// How many instances are read, copied or changed before other threads get a turn: some tenths of a millisecond,
    /// even if none of them is in the processor's caches.
    static let sliceLength = 256

    private let table = Mutex(InstanceTable())
    private let expiryBrake = Mutex(ExpiryBrake())
    /// The search for expired instances that is under way.
    private let search = Mutex<ExpirySearch?>(nil)

    /// Decides whether silent instances stay for one more ttl; off at first.
    var brake: ExpiryBrake {
        get { expiryBrake.withLock { $0 } }
        set { expiryBrake.withLock { $0 = newValue } }
    }

    /// Reads or changes the table under its lock; `body` must be short.
    func withTable<Result: Sendable>(_ body: (inout InstanceTable) -> Result) -> Result {
        table.withLock { body(&$0) }
    }

    /// Renews the lease of an instance for a whole ttl, if somebody may change the service that it belongs to now.
    ///
    /// - Parameter requester: `nil`: somebody who may change every service.
    func renew(id: String, now: Moment, by requester: Requester?) -> Renewal {
        let limited = requester.flatMap { $0.isLimited ? $0 : nil }
        return withTable { table in
            if let limited, let name = table.service(of: id), !limited.mayChange(name) {
                return .denied(.service(name))
            }
            return table.renew(id: id, now: now).map { .renewed($0) } ?? .unknown
        }
    }

    /// Applies changes to the table in slices, so that readers never wait for a large group.
    ///
    /// - Returns: for each change the instance as it is now, or as it was before it left; `nil`: there is none.
    func apply(_ changes: [StoreChange], now: Moment) -> [RegisteredInstance?] {
        var results: [RegisteredInstance?] = []
        results.reserveCapacity(changes.count)
        var rest = changes[...]
        while !rest.isEmpty {
            let slice = rest.prefix(Self.sliceLength)
            rest = rest.dropFirst(Self.sliceLength)
            results += withTable { table in
                slice.map { Self.apply($0, to: &table, now: now) }
            }
        }
        return results
    }

    /// Removes instances whose deadline has come, in slices. After a pause it first extends the leases whose heartbeats
    /// could not be heard.
    func removeExpired(_ sweep: Sweep, limit: Int) -> ExpiredInstances {
        if sweep.pause > .zero {
            var place: UInt64?
            repeat {
                place = withTable { $0.extendLeases(for: sweep, after: place, limit: Self.sliceLength) }
            } while place != nil
        }
        let brake = brake
        if brake.isOn { return removeExpired(sweep, brake, limit: limit) }
        var expired = ExpiredInstances(instances: [], isComplete: false)
        var left = limit
        while left > 0, !expired.isComplete {
            let part = withTable { $0.removeExpired(at: sweep.now.monotonic, limit: min(left, Self.sliceLength)) }
            expired.instances += part.instances
            expired.isComplete = part.isComplete
            left -= Self.sliceLength
        }
        return expired
    }

    /// Takes the next steps of the search that is under way, or of a new one.
    private func removeExpired(_ sweep: Sweep, _ brake: ExpiryBrake, limit: Int) -> ExpiredInstances {
        var search = search.withLock { $0.take() } ?? ExpirySearch(now: sweep.now, brake: brake)
        var expired = ExpiredInstances(instances: [], isComplete: false)
        var left = limit
        while left > 0, !expired.isComplete {
            let part = withTable { search.step(&$0, limit: min(left, Self.sliceLength)) }
            expired.instances += part.instances
            expired.isComplete = part.isComplete
            left -= Self.sliceLength
        }
        let next = expired.isComplete ? nil : search
        self.search.withLock { $0 = next }
        // What has expired since that search was due is left to another one.
        if search.now.monotonic < sweep.now.monotonic { expired.isComplete = false }
        return expired
    }

    private static func apply(_ change: StoreChange, to table: inout InstanceTable, now: Moment) -> RegisteredInstance?
    {
        switch change {
        case .register(let instance, _):
            return table.put(
                instance, lease: Lease(ttlSeconds: instance.ttlSeconds, now: now), because: change.reason)
        case .update(let instance, _):
            // An instance that has left in the meantime is back, because the update was kept. Another node hears its
            // heartbeats, and knows when it expires.
            guard let known = table.instance(id: instance.id)?.instance else {
                let lease = Lease(heardElsewhereWithTTLSeconds: instance.ttlSeconds, now: now)
                return table.put(instance, lease: lease, because: change.reason)
            }
            var instance = instance
            // It may have been heard from, or be held, since the change was planned.
            instance.isHeld = known.isHeld
            return table.put(instance, lease: nil, because: change.reason)
        case .deregister(let id, _):
            guard let registered = table.instance(id: id) else { return nil }
            table.remove(id: id, because: change.reason)
            return registered
        case .policy(let name, let policy, _):
            table.setPolicy(policy, of: name, because: change.reason)
            return nil
        }
    }
}
