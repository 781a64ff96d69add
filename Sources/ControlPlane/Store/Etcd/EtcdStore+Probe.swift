import Logging
import Synchronization

extension EtcdStore {
    /// Asks etcd periodically whether it answers, whether its history is the same, and what its revision is. A watch
    /// that falls behind is tested, and replaced if it fails the test.
    nonisolated(nonsending) func probe(time: TimeSource, notify: @escaping @Sendable () -> Void) async {
        let probes = Ticker(every: .milliseconds(500), on: timers)
        for await _ in probes.ticks {
            do throws(EtcdError) {
                let askedAt = time.now().monotonic
                let answer = try await client.call(
                    "kv/range", EtcdMessage.get(keys.identity), within: EtcdSession.probeTime)
                switch judge(answer, askedAt: askedAt) {
                case .goOn: break
                case .change: try await tryToChange()
                case .startAnew(let end):
                    logger.notice("the watch of etcd is made anew: it was silent, or what it was on has failed")
                    client.distrustConnections()
                    end.finish()
                }
                if session.withLock({ $0.isWatching }) { noteSuccess(now: time.now()) }
            } catch {
                let now = clock.now().monotonic
                if error.kind == .unavailable { session.withLock { $0.probeHasFailed(now: now) } }
                if !Task.isCancelled { note(error) }
            }
            notify()
        }
    }

    private func judge(_ answer: EtcdResponse, askedAt: ContinuousClock.Instant) -> EtcdSession.ProbeStep {
        let (endpoint, timeout, now) = (client.endpoint, client.timeout, clock.now().monotonic)
        return session.withLock {
            $0.judge(answer, askedAt: askedAt, endpoint: endpoint, timeout: timeout, now: now)
        }
    }

    /// Writes something that the watch must report.
    ///
    /// - Throws: if etcd does not answer.
    nonisolated(nonsending) private func tryToChange() async throws(EtcdError) {
        do throws(EtcdError) {
            _ = try await client.call("kv/put", EtcdMessage.put(keys.probe))
            noteChanged()
        } catch {
            if error.kind == .unavailable { throw error }
            noteUnchanged(error)
        }
    }
}
