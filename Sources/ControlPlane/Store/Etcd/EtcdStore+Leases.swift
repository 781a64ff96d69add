import Synchronization

extension EtcdStore {
    /// How many renewals a request has. The gateway reads requests while it writes answers, and Go's server reads no
    /// more of a body once it has begun to answer. So all must fit into what its JSON decoder reads first, 512 octets.
    private static let renewalLength = 16
    /// How many leases are given back at a time.
    private static let revocationLength = 1000
    /// After this long, etcd no longer carries out a request: it gives up itself after 7 s.
    private static let afterlife = Duration.seconds(10)

    /// Gives each write the lease that it needs: the instance's present one, renewed, or a new one.
    nonisolated(nonsending) func withLeases(
        _ writes: [EtcdWrite], renewed: Set<String>
    ) async throws(EtcdError) -> [EtcdWrite] {
        var writes = writes
        var toRenew: [Int] = []
        for (index, write) in writes.enumerated() {
            guard let instance = write.instance, instance.ttlSeconds > 0, let known = write.known, known.lease != 0,
                self.instance(id: write.id)?.instance.ttlSeconds == instance.ttlSeconds
            else { continue }
            writes[index].lease = known.lease
            if renewed.contains(write.id) { toRenew.append(index) }
        }
        for (index, isAlive) in zip(toRenew, try await renew(toRenew.map { writes[$0].lease })) where !isAlive {
            writes[index].lease = 0
        }
        return try await withNewLeases(writes)
    }

    /// Gives a new lease to each write that needs one and has none.
    nonisolated(nonsending) func withNewLeases(_ writes: [EtcdWrite]) async throws(EtcdError) -> [EtcdWrite] {
        var writes = writes
        let needy = writes.indices.filter { index in
            writes[index].lease == 0 && writes[index].instance.map { $0.ttlSeconds > 0 } ?? false
        }
        let leases = try await grant(needy.map { writes[$0].instance?.ttlSeconds ?? 1 })
        for (index, lease) in zip(needy, leases) {
            writes[index].lease = lease
            writes[index].isLeaseNew = true
        }
        return writes
    }

    /// Requests a lease for each ttl: all of them or none.
    nonisolated(nonsending) private func grant(_ ttls: [Int]) async throws(EtcdError) -> [Int64] {
        let leases = await concurrently(ttls) { [client] ttl in
            await Result { () async throws(EtcdError) in
                let lease = try await client.call("lease/grant", EtcdMessage.grant(ttlSeconds: ttl)).lease
                guard lease != 0 else { throw EtcdError(kind: .unavailable, reason: "etcd has granted no lease") }
                return lease
            }
        }
        do throws(EtcdError) {
            return try leases.map { lease throws(EtcdError) in try lease.get() }
        } catch {
            giveBack(leases.compactMap { try? $0.get() }, mayBeUsed: false, dueAt: clock.now().monotonic)
            throw error
        }
    }

    /// Renews leases.
    ///
    /// - Parameter limit: how long a call may take, if that is less than usual.
    /// - Returns: for each lease whether it exists.
    nonisolated(nonsending) func renew(
        _ leases: [Int64], within limit: Duration? = nil
    ) async throws(EtcdError) -> [Bool] {
        let slices = stride(from: 0, to: leases.count, by: Self.renewalLength).map {
            leases[$0..<min($0 + Self.renewalLength, leases.count)]
        }
        let results = await concurrently(slices) { [client] slice in
            await Result { () async throws(EtcdError) in
                let answers = try await client.callForLines(
                    "lease/keepalive", EtcdMessage.keepAlive(slice), within: limit)
                guard answers.map(\.lease) == Array(slice) else {
                    throw EtcdError(
                        kind: .unavailable, reason: "\(answers.count) answers, or others, to \(slice.count) renewals")
                }
                return answers.map { $0.ttlSeconds > 0 }
            }
        }
        var isAlive: [Bool] = []
        isAlive.reserveCapacity(leases.count)
        for result in results { isAlive += try result.get() }
        return isAlive
    }

    /// Finds out which lease etcd does not know, after it refused some writes for that.
    nonisolated(nonsending) func noteLostLeases(of writes: some Collection<EtcdWrite>) async {
        let leased = writes.filter { $0.lease != 0 && !$0.isLeaseNew }
        guard let isAlive = try? await renew(leased.map(\.lease)) else { return }
        mirror.lost(zip(leased, isAlive).filter { !$1 }.map { write, _ in (write.id, write.lease) })
    }

    // MARK: Giving back

    /// Gives back leases that writes have replaced, and new leases of writes that were not kept.
    func giveBackLeases(of writes: [EtcdWrite], _ results: [EtcdWriteResult], now: Moment) {
        for (write, result) in zip(writes, results) {
            switch result {
            case .kept:
                if let old = write.known?.lease, old != write.lease {
                    giveBack([old], mayBeUsed: false, dueAt: now.monotonic)
                }
            case .conflict where write.isLeaseNew:
                // The transaction may have reached etcd twice, and the first one may have been kept.
                giveBack([write.lease], mayBeUsed: true, dueAt: now.monotonic)
            case .unavailable where write.isLeaseNew:
                giveBack([write.lease], mayBeUsed: true, dueAt: now.monotonic + Self.afterlife)
            case .conflict, .unavailable: break
            }
        }
    }

    /// Queues leases to be given back.
    func giveBack(_ leases: some Sequence<Int64>, mayBeUsed: Bool, dueAt: ContinuousClock.Instant) {
        upkeep.withLock { $0.spare(leases, mayBeUsed: mayBeUsed, dueAt: dueAt) }
    }

    /// Revokes the leases that are due, unless keys are attached to them.
    nonisolated(nonsending) func revokeSpareLeases(now: ContinuousClock.Instant) async throws(EtcdError) {
        let leases = upkeep.withLock { $0.takeSpareLeases(now: now, limit: Self.revocationLength) }
        let results = await concurrently(leases) { [client] spare in
            await Result { () async throws(EtcdError) in
                if spare.mayBeUsed {
                    let look = try await client.call("lease/timetolive", EtcdMessage.look(atLease: spare.lease))
                    if look.hasKeys || look.ttlSeconds <= 0 { return }
                }
                _ = try await client.call("lease/revoke", EtcdMessage.revoke(spare.lease))
            }
        }
        var problem: EtcdError?
        for (spare, result) in zip(leases, results) {
            guard case .failure(let error) = result, error.kind == .unavailable || error.kind == .exhausted
            else { continue }
            giveBack([spare.lease], mayBeUsed: spare.mayBeUsed, dueAt: spare.dueAt)
            problem = error
        }
        if let problem { throw problem }
    }
}
