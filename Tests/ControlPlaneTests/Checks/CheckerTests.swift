import Engine
import Synchronization
import Testing

@testable import ControlPlane

/// The whole checker, with its thread and real targets.
@Suite struct CheckerTests {
    /// A checker whose transitions are waited for.
    private final class Watched: Sendable {
        let checker: Checker
        let transitions: AsyncStream<CheckTransition>
        let removals: AsyncStream<CheckRemoval>

        init(_ settings: Checker.Settings = Checker.Settings()) throws {
            let (transitions, transition) = AsyncStream.makeStream(of: CheckTransition.self)
            let (removals, removal) = AsyncStream.makeStream(of: CheckRemoval.self)
            (self.transitions, self.removals) = (transitions, removals)
            checker = try Checker(
                settings,
                Checker.Handlers(
                    onTransitions: { for change in $0 { transition.yield(change) } },
                    onRemovals: { for instance in $0 { removal.yield(instance) } },
                    onHold: { _ in }))
        }

        deinit { checker.shutdown() }

        /// The next transition.
        func next() async throws -> CheckTransition {
            for await transition in transitions { return transition }
            throw CancellationError()
        }
    }

    private func check(
        _ kind: Check.Kind = .http(HTTPCheck()), initial: CheckStatus = .critical,
        timeout: Duration = .milliseconds(500)
    ) -> Check {
        Check(name: "c", kind: kind, interval: .seconds(1), timeout: timeout, rise: 1, fall: 1, initial: initial)
    }

    private func assignment(_ id: String, _ port: Int, _ checks: [Check]) -> CheckAssignment {
        CheckAssignment(id: id, address: .v4(0x7F00_0001), port: UInt16(port), checks: checks)
    }

    @Test func `a target is seen to come, to go and to come back`() async throws {
        let state = Note(true)
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.respond(state.value ? 200 : 503)
        }
        let watched = try Watched()
        watched.checker.adopt([assignment("a", server.port, [check()])])
        var change = try await watched.next()
        #expect(change.id == "a")
        #expect(change.old == .critical)
        #expect(change.check.status == .passing)
        #expect(change.check.output == "HTTP 200")
        state.change { $0 = false }
        change = try await watched.next()
        #expect(change.check.status == .critical)
        #expect(change.check.output == "HTTP 503")
        state.change { $0 = true }
        change = try await watched.next()
        #expect(change.check.status == .passing)
        let seen = try #require(watched.checker.observations(of: "a")?.first)
        #expect(seen.status == .passing)
        #expect(seen.checkedAt != nil)
        #expect(watched.checker.observations(of: "b") == nil)
        withExtendedLifetime(server) {}
    }

    @Test func `reports are taken, and told of after what they change`() async throws {
        let watched = try Watched()
        watched.checker.adopt([assignment("a", 1, [check(.ttl(.seconds(3600)))])])
        let outcomes = Note<[ReportOutcome]>([])
        let done = Signal()
        for (id, output) in [("a", "ok\u{7}\n\u{202E}" + String(repeating: "x", count: 600)), ("b", "")] {
            watched.checker.report(id, "c", .passing, output: output) { outcome in
                outcomes.change { $0.append(outcome) }
                done.send()
            }
        }
        let change = try await watched.next()
        #expect(change.check.status == .passing)
        await done.wait(times: 2)
        guard case .taken(let check) = outcomes.value[0] else { return #expect(Bool(false), "not taken") }
        #expect(check.output == "ok???" + String(repeating: "x", count: 507))
        #expect(outcomes.value[1] == .unknown)
        watched.checker.shutdown()
        watched.checker.report("a", "c", .passing, output: "") { outcome in
            outcomes.change { $0.append(outcome) }
        }
        #expect(outcomes.value.last == .unknown)
    }

    @Test func `an instance that stays critical is asked to be removed`() async throws {
        let watched = try Watched()
        var check = check(.ttl(.seconds(3600)))
        check.deregisterAfter = .seconds(1)
        watched.checker.adopt([assignment("a", 1, [check])])
        var removals = watched.removals.makeAsyncIterator()
        #expect(await removals.next()?.id == "a")
        watched.checker.remove(["a"])
    }

    @Test func `targets that are silent do not keep others from being checked`() async throws {
        let silent = try ScriptedServer { $0.waitForEnd() }
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.respond()
        }
        var settings = Checker.Settings()
        settings.maximumConcurrent = 16
        let watched = try Watched(settings)
        let slow = check(timeout: .seconds(1))
        watched.checker.adopt((0..<200).map { assignment("s\($0)", silent.port, [slow]) })
        watched.checker.adopt((0..<20).map { assignment("a\($0)", server.port, [check()]) })
        var seen: Set<String> = []
        while seen.count < 20 { seen.insert(try await watched.next().id) }
        #expect(seen == Set((0..<20).map { "a\($0)" }))
        #expect(watched.checker.statistics.checks == 220)
        withExtendedLifetime((silent, server)) {}
    }

    @Test func `thousands come and go, and shutdown ends what is under way`() async throws {
        let server = try ScriptedServer { $0.waitForEnd() }
        let watched = try Watched()
        for _ in 0..<5 {
            watched.checker.adopt((0..<2000).map { assignment("i\($0)", server.port, [check(timeout: .seconds(1))]) })
            watched.checker.remove((0..<2000).map { "i\($0)" })
        }
        watched.checker.adopt([assignment("a", server.port, [check(.ttl(.seconds(1)), initial: .passing)])])
        #expect(try await watched.next().id == "a")
        watched.checker.adopt((0..<500).map { assignment("i\($0)", server.port, [check()]) })
        watched.checker.shutdown()
        #expect(watched.checker.statistics.checks >= 1)
        withExtendedLifetime(server) {}
    }
}
