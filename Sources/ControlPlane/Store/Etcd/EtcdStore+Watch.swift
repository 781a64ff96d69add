import Logging
import Synchronization

extension EtcdStore {
    /// Values in a page when everything is read.
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

    /// Finds out where etcd is in its history, and reads everything unless this node has followed up to there.
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
                // Before the first time there is nobody else to bring it in.
                if known.identity == nil { settleIn(time: time) }
            }
        } catch {
            if !Task.isCancelled { note(error) }
            return false
        }
        return true
    }

    /// The first state: everybody who is alive gets a whole ttl again.
    private func settleIn(time: TimeSource) {
        adoptOutsideChanges(now: time.now())
        let ids = mirror.leasedIDs
        upkeep.withLock { $0.hear(ids) }
        noteSuccess(now: time.now())
    }

    /// The identity of etcd's history; there is one from the first node that asks.
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

    /// Reads all instances, page by page, all as of the same revision.
    nonisolated(nonsending) private func readAll(
        identity: String, isWiped: Bool, time: TimeSource
    ) async throws(EtcdError) {
        let askedAt = time.now().monotonic
        var range = keys.instances
        var revision: Int64 = 0
        var values: [EtcdChange] = []
        // Nobody tells any more of those that were deleted meanwhile.
        var vanished = malformed.all
        while true {
            let body = EtcdMessage.range(range, limit: Self.pageLength, revision: revision)
            let page = try await client.call("kv/range", body)
            if revision == 0 { revision = page.revision }
            guard revision > 0 else { throw EtcdError(kind: .unavailable, reason: "etcd tells no revision") }
            values += page.values.compactMap { change($0) }
            if !vanished.isEmpty { vanished.subtract(page.values.map { String(decoding: $0.key, as: UTF8.self) }) }
            guard page.hasMore, let last = page.values.last else { break }
            // Or it would never end.
            guard !last.key.lexicographicallyPrecedes(range.start) else {
                throw EtcdError(kind: .unavailable, reason: "etcd answers with keys that were not asked for")
            }
            range.skip(through: last.key)
        }
        for key in vanished { malformed.remove(key) }
        // After the last page, so that nothing is missed that was deregistered before.
        let marker = try await client.call("kv/range", EtcdMessage.get(keys.deregistered)).values.first
        session.withLock {
            $0.hasRead(
                values, of: identity, at: revision, isWiped: isWiped, deregisteredAt: marker?.revision ?? 0,
                askedAt: askedAt)
        }
    }

    /// Takes in what others write for as long as there is a connection, and makes one again when it ends.
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

    /// Lets a reader read a watch, until the watch ends or is ended.
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

    /// What a watch tells, on the HTTP client's thread.
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

    /// What events mean: those of one revision belong together.
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
            return keys.instance(key).map {
                [.delete($0, revision: revision, isDeliberate: deliberate.contains(revision))]
            } ?? []
        }
    }

    /// What a key and its value mean; `nil`: nothing.
    private func change(_ value: EtcdKeyValue) -> EtcdChange? {
        let key = String(decoding: value.key, as: UTF8.self)
        if keys.isAuxiliary(key) { return nil }
        guard let instanceKey = keys.instance(key) else {
            skip(key, "the key is not that of an instance")
            return nil
        }
        return change(instanceKey, value)
    }

    /// What a value under an instance's key means.
    func change(_ key: InstanceKey, _ value: EtcdKeyValue) -> EtcdChange {
        var instance: ServiceInstance?
        var asOf: Int64?
        do throws(MalformedInstance) {
            let (decoded, knownAsOf) = try StoredInstance.decodeWithOrigin(value.value)
            guard decoded.id == key.id, decoded.name == key.name else {
                throw MalformedInstance(reason: "it is the instance \(decoded.id) of \(decoded.name)")
            }
            (instance, asOf) = (decoded, knownAsOf)
            malformed.remove(keys.key(key))
        } catch {
            skip(keys.key(key), error.reason)
        }
        return .put(key, instance, revision: value.revision, lease: value.lease, asOf: asOf)
    }

    private func skip(_ key: String, _ reason: String) {
        guard malformed.add(key) else { return }
        logger.warning("a value in etcd is skipped", metadata: ["key": "\(key)", "reason": "\(reason)"])
    }

}

extension Result {
    /// What `body` returns or throws.
    nonisolated(nonsending) init(_ body: () async throws(Failure) -> Success) async {
        do throws(Failure) {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
