import Engine
import Logging
import Synchronization
import Testing

@testable import ControlPlane

/// What the log says when instances leave DNS and come back.
@Suite struct ChangeLogTests {
    private func line(
        _ change: (inout RegisteredInstance) -> Void, from before: (inout RegisteredInstance) -> Void = { _ in },
        because reason: ChangeReason = .request
    ) -> String? {
        var old = RegisteredInstance.test(1)
        old.instance.checks = [.test("c")]
        before(&old)
        var new = old
        change(&new)
        return text(InstanceChange(index: 1, old: old, new: new, reason: reason))
    }

    private func text(_ change: InstanceChange) -> String? {
        ChangeKind(change).map { kind in
            let line = ChangeLine(change, kind)
            let shown = ["status", "check_status", "reason", "output", "token", "client", "old_name"]
            let metadata = line.metadata.filter { shown.contains($0.key) }
            return ([line.message] + metadata.sorted { $0.key > $1.key }.map { "\($0)=\($1)" }).joined(separator: ", ")
        }
    }

    @Test func `each line says what has become of an instance, and why`() {
        let now = WallTime(millisecondsSince1970: 0)
        #expect(line { $0.instance.isDraining = true } == "instance is drained, reason=request")
        let back = line({ $0.instance.isDraining = false }, from: { $0.instance.isDraining = true })
        #expect(back == "instance is not drained any more, reason=request")
        let failed = line(
            { _ = $0.instance.adopt(CheckReport(name: "c", status: .critical, output: "HTTP 503", time: now)) },
            because: .check("c"))
        #expect(failed == "instance has another status, status=critical, reason=check c, output=HTTP 503")
        let again = line(
            { _ = $0.instance.adopt(CheckReport(name: "c", status: .passing, output: "HTTP 200", time: now)) },
            because: .check("c"))
        #expect(again == nil)
        #expect(line({ $0.instance.weight = 7 }) == "instance updated, reason=request")
        #expect(
            line({ $0.instance.name = "b" }, because: .anotherNode)
                == "instance updated, reason=another node, old_name=orders")
        let instance = RegisteredInstance.test(1)
        func change(_ old: RegisteredInstance?, _ new: RegisteredInstance?, _ reason: ChangeReason) -> String? {
            text(InstanceChange(index: 1, old: old, new: new, reason: reason))
        }
        #expect(change(instance, nil, .expired) == "instance expired, reason=no heartbeat for 30 s")
        #expect(change(nil, instance, .loaded) == nil)
        let token = Token(name: "ci", credential: .subject("s"), role: .write)
        let requester = Requester(token: token, client: .v4(0x0A00_0001))
        #expect(
            change(nil, instance, .requested(by: requester))
                == "instance registered, token=ci, reason=request, client=10.0.0.1")
        #expect(
            change(instance, nil, .requested(by: Requester(client: .v6(0, 1))))
                == "instance deregistered, reason=request, client=::1")
        let kind = ChangeKind.registered
        let metadata = ChangeLine(InstanceChange(index: 1, old: nil, new: instance), kind).metadata
        #expect(metadata["id"] == "i1" && metadata["name"] == "\(instance.instance.name)" && metadata["port"] != nil)
        let policy = ChangeLine(
            PolicyChange(index: 1, name: "a", policy: Array("{}".utf8), reason: .requested(by: requester)))
        #expect(policy.message == "policy set" && policy.metadata["token"] == "ci" && policy.metadata["policy"] == "{}")
        #expect(ChangeLine(PolicyChange(index: 1, name: "a", policy: nil)).message == "policy removed")
    }

    @Test func `a hundred lines a second are written, and the others counted`() {
        let now = ContinuousClock.now
        var limit = LineLimit()
        var answers: [LineLimit.Answer] = []
        for _ in 0..<103 { answers.append(limit.take(now: now)) }
        #expect(answers.prefix(100).allSatisfy { $0 == .written })
        #expect(answers.suffix(3) == [.firstLeft, .left, .left])
        #expect(limit.takeLeft() == 3 && limit.takeLeft() == 0)
        #expect(limit.take(now: now) == .written)
        for _ in 0..<99 { _ = limit.take(now: now) }
        #expect(limit.take(now: now.advanced(by: .seconds(1))) == .written)
    }
}

extension ChangeLogTests {
    /// Counts lines, and has the last one.
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private struct Recorder: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
            lines.all.withLock { $0.append(([event.message.description] + metadata).joined(separator: " ")) }
        }
    }

    private final class ManualTimers: Timers {
        let actions = Mutex<[@Sendable () -> Void]>([])

        func every(
            _ interval: Duration, after delay: Duration, _ action: @escaping @Sendable () -> Void
        ) -> @Sendable () -> Void {
            {}
        }

        func once(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
            actions.withLock { $0.append(action) }
        }
    }

    @Test func `what has no line is counted by its kind`() {
        let lines = Lines()
        let timers = ManualTimers()
        let clock = TestClock()
        let log = ChangeLog(
            logger: Logger(label: "test") { _ in Recorder(lines: lines) }, time: clock.source, timers: timers)
        let instance = RegisteredInstance.test(1)
        let come = InstanceChange(index: 1, old: nil, new: instance)
        let go = InstanceChange(index: 2, old: instance, new: nil)
        log.note(Array(repeating: come, count: 150)[...])
        log.note(Array(repeating: go, count: 30)[...], [PolicyChange(index: 3, name: "a", policy: nil)])
        #expect(lines.all.withLock { $0.count } == 100)
        let actions = timers.actions.withLock { $0 }
        #expect(actions.count == 1)
        for action in actions { action() }
        #expect(
            lines.all.withLock { $0.last } == "more has changed count=81 deregistered=30 policy=1 registered=50")
    }
}
