import Logging
import Synchronization

extension EtcdStore {
    /// How many values a page has when everything is read.
    private static let pageLength = 500

    nonisolated(nonsending) func watch(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        await withTaskGroup { group in
            group.addTask { await self.follow(time: time, notify: notify) }
            group.addTask { await self.probe(time: time, notify: notify) }
            group.addTask { await self.renewLeases() }
            group.addTask { await self.restoreOrphans(time: time, notify: notify) }
            if let snapshot { group.addTask { await self.keep(snapshot) } }
        }
    }

    /// Finds out where in its history etcd is, and reads everything unless this node can continue from where it was.
    ///
    /// - Returns: whether etcd has answered.
    nonisolated(nonsending) func connect(time: TimeSource) async -> Bool {
        do throws(EtcdError) {
            let identity = try await readIdentity()
            let (known, mustReadAll) = session.withLock { ($0.position, $0.mustReadAll(identity)) }
            if mustReadAll {
                let isWiped = known.identity != nil && known.identity != identity
                if isWiped { logger.warning("etcd has lost its data: it gets everything from here") }
                try await readAll(identity: identity, isWiped: isWiped, time: time)
                // The first time, no committer is running yet to take it in.
                if known.identity == nil { settleIn(time: time) }
            }
        } catch {
            if !Task.isCancelled { note(error) }
            return false
        }
        return true
    }

    /// Takes in the first state: every instance that is alive gets a whole ttl.
    private func settleIn(time: TimeSource) {
        adoptOutsideChanges(now: time.now())
        let ids = mirror.leasedIDs
        upkeep.withLock { $0.hear(ids) }
        noteSuccess(now: time.now())
    }

    /// The identity of etcd's history. The first node that asks creates it.
    nonisolated(nonsending) private func readIdentity() async throws(EtcdError) -> String {
        if let identity = try await storedIdentity() { return identity }
        var transaction = EtcdTransaction()
        transaction.conditions = [EtcdTransaction.Condition(key: keys.identity, revision: 0)]
        let value = Array(String(UInt64.random(in: .min ... .max), radix: 16).utf8)
        transaction.success = [.put(key: keys.identity, value: value, lease: 0)]
        _ = try await client.call("kv/txn", EtcdMessage.transaction(transaction))
        guard let identity = try await storedIdentity() else {
            throw EtcdError(kind: .unavailable, reason: "the key \(keys.identity) can't be kept")
        }
        return identity
    }

    nonisolated(nonsending) private func storedIdentity() async throws(EtcdError) -> String? {
        try await client.call("kv/range", EtcdMessage.get(keys.identity)).values.first?.text
    }

    /// Reads all instances and policies, page by page, all at the same revision.
    nonisolated(nonsending) private func readAll(
        identity: String, isWiped: Bool, time: TimeSource
    ) async throws(EtcdError) {
        let askedAt = time.now().monotonic
        var range = keys.registered
        var revision: Int64 = 0
        var values: [EtcdChange] = []
        // No event will report malformed values that were deleted in the meantime.
        var vanished = malformed.all
        while true {
            let body = EtcdMessage.range(range, limit: Self.pageLength, revision: revision)
            let page = try await client.call("kv/range", body)
            if revision == 0 { revision = page.revision }
            guard revision > 0 else { throw EtcdError(kind: .unavailable, reason: "etcd tells no revision") }
            values += page.values.compactMap { change($0) }
            if !vanished.isEmpty { vanished.subtract(page.values.map { String(decoding: $0.key, as: UTF8.self) }) }
            guard page.hasMore, let last = page.values.last else { break }
            // Otherwise the loop might never end.
            guard !last.key.lexicographicallyPrecedes(range.start) else {
                throw EtcdError(kind: .unavailable, reason: "etcd answers with keys that were not asked for")
            }
            range.skip(through: last.key)
        }
        for key in vanished { malformed.remove(key) }
        // Read it after the last page, so that no earlier deregistration is missed.
        let marker = try await client.call("kv/range", EtcdMessage.get(keys.deregistered)).values.first
        session.withLock {
            $0.hasRead(
                values, of: identity, at: revision, isWiped: isWiped, deregisteredAt: marker?.revision ?? 0,
                askedAt: askedAt)
        }
    }

    /// Follows what others write, and connects again whenever the watch ends.
    nonisolated(nonsending) private func follow(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        let attempts = Ticker(every: .milliseconds(250), on: timers)
        for await _ in attempts.ticks where await connect(time: time) {
            notify()
            let (untilEnded, end) = AsyncStream.makeStream(of: Never.self)
            let (endpoint, now) = (client.endpoint, clock.now().monotonic)
            let start = session.withLock { $0.beginWatch(at: endpoint, end: end, now: now) }
            let reader = EtcdWatchReader(startRevision: start) { [self] event in receive(event, time, notify) }
            let error = await stream(reader, from: start, untilEnded)
            session.withLock { $0.endWatch() }
            if let error, !Task.isCancelled {
                logger.info("the watch of etcd has ended", metadata: ["reason": "\(error.reason)"])
            }
        }
    }

    /// Passes a watch to a reader, until the watch ends or is ended.
    ///
    /// - Returns: why it has ended by itself.
    nonisolated(nonsending) private func stream(
        _ reader: EtcdWatchReader, from start: Int64, _ untilEnded: AsyncStream<Never>
    ) async -> EtcdError? {
        await withTaskGroup(of: EtcdError?.self) { [client, keys] group in
            group.addTask {
                do throws(EtcdError) {
                    try await client.stream("watch", EtcdMessage.watch(keys.all, from: start)) { reader.read($0) }
                    return nil
                } catch {
                    return error
                }
            }
            group.addTask {
                for await _ in untilEnded {}
                return nil
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }

    /// Takes in what a watch reports, on the HTTP client's thread.
    ///
    /// - Returns: whether to go on.
    private func receive(_ event: EtcdWatchReader.Event, _ time: TimeSource, _ notify: () -> Void) -> Bool {
        switch event {
        case .created:
            let now = clock.now().monotonic
            session.withLock { $0.establishWatch(now: now) }
            noteSuccess(now: time.now())
            notify()
            return true
        case .changes(let events, let revision):
            let changes = changes(events)
            lookForNodes(in: events)
            guard session.withLock({ $0.hear(changes, upTo: revision) }) else {
                logger.warning("etcd changes faster than DNS can be told: everything is read again")
                return false
            }
            notify()
            return true
        case .gone(let reason):
            logger.notice("everything is read from etcd again", metadata: ["reason": "\(reason)"])
            session.withLock { $0.losePosition() }
            return false
        case .failed(let reason):
            logger.info("the watch of etcd has ended", metadata: ["reason": "\(reason)"])
            return false
        }
    }

    /// The changes that events stand for; events of the same revision belong together.
    private func changes(_ events: [EtcdEvent]) -> [EtcdChange] {
        let marker = Array(keys.deregistered.utf8)
        let deliberate = Set(events.lazy.filter { $0.value.key == marker }.map(\.value.revision))
        return events.flatMap { event -> [EtcdChange] in
            let revision = event.value.revision
            guard event.isDeletion else {
                if event.value.key != marker { return change(event.value).map { [$0] } ?? [] }
                return keys.deregisteredInstances(event.value.value).map {
                    .delete($0, revision: revision, isDeliberate: true)
                }
            }
            let key = String(decoding: event.value.key, as: UTF8.self)
            malformed.remove(key)
            if let service = keys.service(ofPolicy: key) { return [.policy(service, nil, revision: revision)] }
            return keys.instance(key).map {
                [.delete($0, revision: revision, isDeliberate: deliberate.contains(revision))]
            } ?? []
        }
    }

    /// The change that a key with its value stands for; `nil`: none.
    private func change(_ value: EtcdKeyValue) -> EtcdChange? {
        let key = String(decoding: value.key, as: UTF8.self)
        if keys.isAuxiliary(key) { return nil }
        if let service = keys.service(ofPolicy: key) { return change(policyOf: service, value) }
        guard let instanceKey = keys.instance(key) else {
            skip(key, "the key is not that of an instance or a policy")
            return nil
        }
        return change(instanceKey, value)
    }

    /// The change that a value under an instance's key stands for.
    func change(_ key: InstanceKey, _ value: EtcdKeyValue) -> EtcdChange {
        var instance: ServiceInstance?
        var origin = StoredOrigin()
        do throws(MalformedInstance) {
            let (decoded, knownOrigin) = try StoredInstance.decodeWithOrigin(value.value)
            guard decoded.id == key.id, decoded.name == key.name else {
                throw MalformedInstance(reason: "it is the instance \(decoded.id) of \(decoded.name)")
            }
            (instance, origin) = (decoded, knownOrigin)
            malformed.remove(keys.key(key))
        } catch {
            skip(keys.key(key), error.reason)
        }
        return .put(key, instance, revision: value.revision, lease: value.lease, origin: origin)
    }

    /// Notes that the value of a key is none that this program writes.
    func skip(_ key: String, _ reason: String) {
        guard malformed.add(key) else { return }
        logger.warning("a value in etcd is skipped", metadata: ["key": "\(key)", "reason": "\(reason)"])
    }

}

extension Result {
    /// The value that `body` returns, or the error that it throws.
    nonisolated(nonsending) init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
