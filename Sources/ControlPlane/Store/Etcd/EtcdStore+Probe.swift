import Logging
import Synchronization

extension EtcdStore {
    /// How long a probe may take: with that, a dead connection is found out about within ten seconds in all.
    private static let probeTime = Duration.seconds(5)

    /// Asks etcd again and again whether it is there, whether it is still the same, and how far it is: a watch that
    /// stays behind is put to the test, and made anew when it does not pass.
    nonisolated(nonsending) func probe(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        let probes = Ticker(every: .milliseconds(500), on: timers)
        var failedAt: ContinuousClock.Instant?
        for await _ in probes.ticks {
            do throws(EtcdError) {
                let askedAt = time.now().monotonic
                let answer = try await client.call("kv/range", EtcdMessage.get(keys.identity), within: Self.probeTime)
                let step = judge(answer, askedAt: askedAt, failedAt: failedAt)
                if step == .startAnew { watching.withLock { $0.end }?.finish() }
                // Nobody may try to change anything for long.
                if step == .test || health.withLock({ $0.refusal != nil }) { try await tryToChange() }
                if watching.withLock({ $0.isEstablished }) { noteSuccess(now: time.now()) }
            } catch {
                if error.kind == .unavailable { failedAt = clock.now().monotonic }
                if !Task.isCancelled { note(error) }
            }
            notify()
        }
    }

    /// Writes something that the watch must tell of.
    ///
    /// - Throws: when etcd does not answer.
    nonisolated(nonsending) private func tryToChange() async throws(EtcdError) {
        do throws(EtcdError) {
            _ = try await client.call("kv/put", EtcdMessage.put(keys.probe))
            noteChanged()
        } catch {
            if error.kind == .unavailable { throw error }
            noteUnchanged(error)
        }
    }

    /// What the answer to a probe means for the watch.
    ///
    /// - Parameter failedAt: when a probe has failed last.
    private func judge(
        _ answer: EtcdResponse, askedAt: ContinuousClock.Instant, failedAt: ContinuousClock.Instant?
    ) -> EtcdWatchProgress.Step {
        let position = position.withLock { $0 }
        let endpoint = client.endpoint
        let now = clock.now().monotonic
        let isSameHistory = answer.values.first?.text == position.identity
        let step = watching.withLock { watch -> EtcdWatchProgress.Step in
            guard let startedAt = watch.startedAt else { return .goOn }
            // What it is at, or on, has failed somebody.
            let isDoubtful = watch.endpoint != endpoint || failedAt.map { startedAt < $0 } ?? false
            // A watch has no time limit of its own, but must begin within that of any other call.
            let isLate = !watch.isEstablished && startedAt.duration(to: now) > min(client.timeout, Self.probeTime)
            let step =
                !isSameHistory || isDoubtful || isLate
                ? .startAnew
                : watch.progress?.look(revision: answer.revision, watched: position.revision, now: now) ?? .goOn
            // Until it is established again, nobody is told that all is well.
            if step == .startAnew { watch.isEstablished = false }
            return step
        }
        if isSameHistory { health.withLock { $0.etcd(isAt: answer.revision, askedAt: askedAt) } }
        if step == .startAnew {
            logger.notice("the watch of etcd is made anew: it was silent, or what it was on has failed")
            client.distrustConnections()
        }
        return step
    }
}

/// The watch that is under way.
struct EtcdWatch: Sendable {
    /// Ends it.
    var end: AsyncStream<Never>.Continuation?
    /// The member that it is at.
    var endpoint = ""
    var startedAt: ContinuousClock.Instant?
    /// Whether etcd has said that it tells of every change from now on.
    var isEstablished = false
    /// How it keeps up, once it is established.
    var progress: EtcdWatchProgress?
}
