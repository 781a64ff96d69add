import Logging
import Synchronization

extension EtcdStore {
    /// How long it may take to give the lease back at the end.
    private static let farewellTime = Duration.seconds(1)

    /// Keeps this node's key in etcd, and calls `body` with the nodes that have one, whenever they change.
    ///
    /// While etcd is away, the nodes that were known last remain. Whatever has happened to the key meanwhile (its lease
    /// has ended, or etcd has lost its data), the next round writes it again.
    nonisolated(nonsending) func watchNodes(_ body: @escaping @Sendable (CheckerNodes) -> Void) async {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        guard membership.withLock({ $0.begin(wake) }) else { return }
        let end = timers.every(EtcdMembership.interval, after: .zero) { wake.yield() }
        for await _ in wakes {
            do throws(EtcdError) {
                try await keepOwnKey(body)
                if membership.withLock({ $0.refused(nil) }) { logger.notice("etcd takes this node's key again") }
            } catch {
                if let nodes = membership.withLock({ $0.failed() }) { body(nodes) }
                // If etcd does not answer, the probe says so.
                if error.kind != .unavailable, membership.withLock({ $0.refused(error.reason) }) {
                    logger.error(
                        "etcd refuses this node's key: the others don't count on this node",
                        metadata: ["error": "\(error.reason)"])
                }
            }
        }
        end()
        // Otherwise a call would have no effect, and close() does it.
        if !Task.isCancelled { await leaveNodes() }
    }

    /// Renews the lease of this node's key, or gets another one, and reads which nodes there are.
    nonisolated(nonsending) private func keepOwnKey(
        _ body: @Sendable (CheckerNodes) -> Void
    ) async throws(EtcdError) {
        var lease = membership.withLock { $0.lease }
        if lease != 0 {
            let isAlive = try await renew([lease], within: EtcdMembership.callTime)
            if isAlive != [true] { lease = 0 }
        }
        let result = await Result { () async throws(EtcdError) in
            if lease == 0 { try await writeOwnKey(grantOwnLease()) }
        }
        // Even if etcd refuses this node's key, the others count.
        if case .failure(let error) = result, error.kind == .unavailable { throw error }
        let page = try await client.call(
            "kv/range", EtcdMessage.keys(keys.nodes, limit: EtcdMembership.maximumKeys),
            within: EtcdMembership.callTime)
        let findings = membership.withLock { $0.read(page.values, keys) }
        if findings.hasOddKeys {
            logger.warning("keys of nodes in etcd are ignored", metadata: ["keys": "\(keys.nodesPrefix)"])
        }
        if let nodes = findings.change {
            logger.info("nodes share the checks", metadata: ["count": "\(nodes.all.count)"])
            body(nodes)
        }
        try result.get()
        if !findings.hasOwnKey { try await writeOwnKey(membership.withLock { $0.lease }) }
    }

    nonisolated(nonsending) private func grantOwnLease() async throws(EtcdError) -> Int64 {
        // A former one that etcd does not know, or has not told about, is not renewed any more.
        membership.withLock { $0.lease = 0 }
        let body = EtcdMessage.grant(ttlSeconds: EtcdMembership.ttlSeconds)
        let lease = try await client.call("lease/grant", body, within: EtcdMembership.callTime).lease
        guard lease != 0 else { throw EtcdError(kind: .unavailable, reason: "etcd has granted no lease") }
        membership.withLock { $0.lease = lease }
        return lease
    }

    nonisolated(nonsending) private func writeOwnKey(_ lease: Int64) async throws(EtcdError) {
        if lease == 0 { return }
        // If a request arrives late, its lease has ended, or the next round finds the key on that one.
        let put = EtcdTransaction(success: [.put(key: keys.node(nodeIdentity), value: [], lease: lease)])
        do throws(EtcdError) {
            _ = try await client.call("kv/txn", EtcdMessage.transaction(put), within: EtcdMembership.callTime)
        } catch {
            guard error.kind == .noSuchLease else { throw error }
            // It has ended since it was renewed: the next round gets another one.
            membership.withLock {
                $0.lease = 0
                $0.followHint()
            }
        }
    }

    /// Removes this node's key, so that the others take over at once.
    nonisolated(nonsending) func leaveNodes() async {
        let lease = membership.withLock { $0.lease }
        if lease == 0 || session.withLock({ $0.health.problem != nil }) { return }
        do throws(EtcdError) {
            _ = try await client.call("lease/revoke", EtcdMessage.revoke(lease), within: Self.farewellTime)
        } catch {
            // Otherwise it is tried once more, or the lease ends by itself.
            if error.kind != .noSuchLease { return }
        }
        membership.withLock { $0.lease = 0 }
    }

    /// Takes a report of the watch as a hint to look which nodes there are.
    func lookForNodes(in events: [EtcdEvent]) {
        let nodes = keys.nodes
        guard events.contains(where: { nodes.contains($0.value.key) }), membership.withLock({ $0.hint() })
        else { return }
        timers.once(after: EtcdMembership.hintTime) { [self] in membership.withLock { $0.followHint() } }
    }
}
