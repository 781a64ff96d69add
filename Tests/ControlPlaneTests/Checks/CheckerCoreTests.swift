import Engine
import Testing

@testable import ControlPlane

@Suite struct CheckerCoreTests {
    /// A core in virtual time, with targets that answer as they are told.
    private struct World {
        private(set) var core: CheckerCore
        private(set) var now = Moment(monotonic: .now, wall: WallTime(millisecondsSince1970: 1_000_000))
        /// Instances whose checks fail, and those that don't answer within the timeout.
        var failing: Set<String> = []
        var silent: Set<String> = []
        private(set) var transitions: [CheckTransition] = []
        private(set) var removals: [CheckRemoval] = []
        private(set) var holds: [CutOffDetector.Change] = []
        private(set) var observed: [String: [CheckObservation]] = [:]
        private(set) var runs = 0
        private var ends: [UInt64: (at: ContinuousClock.Instant, result: CheckResult)] = [:]

        init(maximumConcurrent: Int = 1000, targets: CheckTargets = CheckTargets(), share: Double = 0.5) {
            core = CheckerCore(maximumConcurrent: maximumConcurrent, targets: targets, share: share, seed: 11)
        }

        mutating func adopt(
            _ id: String, address: String = "10.0.0.1", port: UInt16 = 80, number: UInt64 = 0, _ checks: [Check],
            _ statuses: [String: CheckAssignment.KnownStatus] = [:]
        ) throws {
            let address = try #require(IPAddress(address))
            core.adopt(
                CheckAssignment(
                    id: id, address: address, port: port, checks: checks, statuses: statuses, number: number),
                now: now)
        }

        mutating func remove(_ id: String) { core.remove(id) }

        mutating func report(_ id: String, _ check: String, _ status: CheckStatus) -> ReportOutcome {
            core.report(id, check, status, output: "reported", now: now)
        }

        mutating func run(for duration: Duration) {
            let end = now.monotonic.advanced(by: duration)
            while now.monotonic < end {
                turn()
                now = now.advanced(by: .milliseconds(20))
            }
            turn()
        }

        /// The process is stopped for a while.
        mutating func stop(for duration: Duration) {
            now = now.advanced(by: duration)
            core.notePause(duration, now: now)
        }

        /// Makes the wall clock jump.
        mutating func jump(by seconds: Int) { now.wall = now.wall.advanced(bySeconds: seconds) }

        func status(_ id: String, _ check: String = "c") -> CheckStatus? {
            observed[id]?.first { $0.name == check }?.status
        }

        mutating func turn() {
            for (id, end) in ends where end.at <= now.monotonic {
                ends[id] = nil
                core.finish(id, end.result, now: now)
            }
            let effects = core.turn(now: now)
            for id in effects.interrupted { ends[id] = nil }
            for id in effects.started {
                guard let task = core.task(id) else { continue }
                #expect(ends[id] == nil)
                runs += 1
                let result =
                    if silent.contains(task.instance) {
                        CheckResult(outcome: .silence, output: "silent", duration: task.check.timeout)
                    } else if failing.contains(task.instance) {
                        CheckResult(outcome: .failure, output: "failed", duration: .milliseconds(1))
                    } else {
                        CheckResult(outcome: .success, output: "fine", duration: .milliseconds(1))
                    }
                ends[id] = (now.monotonic.advanced(by: result.duration), result)
            }
            for change in effects.observed { observed[change.id] = change.checks }
            for transition in effects.transitions {
                #expect(transition.old != transition.check.status)
                #expect(observed[transition.id]?.contains { $0.name == transition.check.name } ?? true)
            }
            transitions += effects.transitions
            removals += effects.removals
            holds += effects.holds
        }
    }

    private func check(_ name: String = "c", _ kind: Check.Kind = .tcp(port: nil)) -> Check {
        Check(name: name, kind: kind)
    }

    @Test func `a target that fails becomes critical within interval times fall, and comes back`() throws {
        var world = World()
        try world.adopt("a", [check()])
        world.run(for: .seconds(20))
        #expect(world.transitions == [])
        #expect(world.status("a") == .passing)
        world.failing = ["a"]
        let failed = world.now
        world.run(for: .seconds(40))
        #expect(world.transitions.map(\.check.status) == [.critical])
        let since = try #require(world.transitions.first?.check.since)
        let delay = since.millisecondsSince1970 - failed.wall.millisecondsSince1970
        #expect((20_000...30_100).contains(delay))
        #expect(world.transitions[0].check.output == "failed")
        #expect(world.transitions[0].id == "a")
        world.failing = []
        world.run(for: .seconds(25))
        #expect(world.transitions.map(\.check.status) == [.critical, .passing])
        #expect(world.observed["a"]?.first?.output == "fine")
        #expect(world.observed["a"]?.first?.duration == .milliseconds(1))
    }

    @Test func `what a check tells belongs to its assignment, and is told again under the next one`() throws {
        var world = World()
        try world.adopt("i1", number: 1, [check()])
        _ = world.report("i1", "c", .warning)
        // At another address it is another check, about which nothing was told.
        try world.adopt("i1", address: "10.0.0.2", number: 2, [check()])
        world.turn()
        #expect(world.transitions.map(\.assignment) == [1])
        _ = world.report("i1", "c", .critical)
        // The same check: whoever gives the order has not heard of the status yet.
        try world.adopt("i1", address: "10.0.0.2", number: 3, [check()])
        world.turn()
        #expect(world.transitions.map(\.assignment) == [1, 2, 3])
        #expect(world.transitions.map(\.check.status) == [.warning, .critical, .critical])
    }

    @Test func `a stored status goes on, with its time`() throws {
        var world = World()
        let since = WallTime(millisecondsSince1970: 5)
        let known = CheckAssignment.KnownStatus(status: .critical, since: since, output: "HTTP 503")
        try world.adopt("a", [check()], ["c": known])
        world.run(for: .zero)
        #expect(world.observed["a"]?.first?.status == .critical)
        #expect(world.observed["a"]?.first?.since == since)
        #expect(world.observed["a"]?.first?.output == "HTTP 503")
        #expect(world.transitions == [])
        world.run(for: .seconds(20))
        #expect(world.transitions.map(\.check.status) == [.passing])
    }

    @Test func `an instance is removed when a check was critical for so long, and asked for until it is gone`() throws {
        var world = World()
        var check = check()
        (check.initial, check.deregisterAfter) = (.critical, .seconds(60))
        try world.adopt("a", [check])
        world.failing = ["a"]
        world.run(for: .seconds(59))
        #expect(world.removals == [])
        world.run(for: .seconds(2))
        #expect(
            world.removals == [CheckRemoval(id: "a", check: "c", reason: "check 'c' critical for 1m: failed")])
        world.run(for: .seconds(28))
        #expect(world.removals.count == 1)
        world.run(for: .seconds(3))
        #expect(world.removals.count == 2)
        world.remove("a")
        world.run(for: .seconds(100))
        #expect(world.removals.count == 2)
        #expect(world.observed["a"] == nil)
    }

    @Test func `one that passes in time is not removed`() throws {
        var world = World()
        var check = check()
        (check.fall, check.rise, check.deregisterAfter) = (1, 1, .seconds(30))
        try world.adopt("a", [check])
        for _ in 0..<5 {
            world.failing = ["a"]
            world.run(for: .seconds(20))
            world.failing = []
            world.run(for: .seconds(20))
        }
        #expect(world.transitions.count >= 8)
        #expect(world.removals == [])
    }

    @Test func `a check of type ttl becomes critical when no result is reported, and has no runs`() throws {
        var world = World()
        try world.adopt("a", [check("c", .ttl(.seconds(30)))])
        world.run(for: .seconds(29))
        #expect(
            world.report("a", "c", .warning)
                == .taken(try #require(world.observed["a"]?.first?.reported(.warning, world.now))))
        world.run(for: .seconds(29))
        #expect(world.transitions.map(\.check.status) == [.warning])
        world.run(for: .seconds(2))
        #expect(world.transitions.map(\.check.status) == [.warning, .critical])
        #expect(world.transitions.last?.check.output == "no result within 30s")
        world.run(for: .seconds(100))
        _ = world.report("a", "c", .passing)
        world.run(for: .zero)
        #expect(world.transitions.map(\.check.status) == [.warning, .critical, .passing])
        #expect(world.runs == 0)
    }

    @Test func `a report to a check with a late removal is in time nevertheless`() throws {
        var world = World()
        var check = check("c", .ttl(.seconds(10)))
        (check.initial, check.deregisterAfter) = (.critical, .seconds(3600))
        try world.adopt("a", [check])
        _ = world.report("a", "c", .passing)
        world.run(for: .seconds(11))
        #expect(world.transitions.map(\.check.status) == [.passing, .critical])
    }

    @Test func `a report to another check holds until its next own result`() throws {
        var world = World()
        try world.adopt("a", [check()])
        world.run(for: .seconds(15))
        _ = world.report("a", "c", .critical)
        world.run(for: .zero)
        #expect(world.status("a") == .critical)
        world.run(for: .seconds(11))
        #expect(world.transitions.map(\.check.status) == [.critical, .passing])
        #expect(world.report("a", "d", .critical) == .unknown)
        #expect(world.report("b", "c", .critical) == .unknown)
    }

    @Test func `a registration that changes nothing leaves checks as they are, and another one begins anew`() throws {
        var world = World()
        try world.adopt("a", [check(), check("d")])
        world.failing = ["a"]
        world.run(for: .seconds(35))
        #expect(world.status("a") == .critical)
        try world.adopt("a", [check("d"), check()])
        world.run(for: .zero)
        #expect(world.observed["a"]?.map(\.name) == ["d", "c"])
        #expect(world.status("a") == .critical)
        #expect(world.core.count == 2)
        try world.adopt("a", port: 81, [check()])
        world.run(for: .zero)
        #expect(world.status("a") == .passing)
        #expect(world.core.count == 1)
        try world.adopt("a", [])
        world.run(for: .zero)
        #expect(world.core.count == 0)
        #expect(world.observed["a"] == nil)
    }

    @Test func `a pause of the process fails nobody`() throws {
        var world = World()
        var slow = check()
        (slow.fall, slow.interval, slow.timeout) = (1, .seconds(2), .seconds(2))
        try world.adopt("a", [slow, check("t", .ttl(.seconds(10)))])
        world.silent = ["a"]
        // A run is under way throughout.
        world.run(for: .milliseconds(2500))
        #expect(world.transitions == [])
        world.stop(for: .seconds(60))
        world.run(for: .milliseconds(100))
        #expect(
            world.transitions == [], "the failure of the run that was under way does not count, and the ttl is whole")
        world.run(for: .seconds(5))
        #expect(world.transitions.map(\.check.name) == ["c"])
        world.run(for: .seconds(10))
        #expect(world.transitions.map(\.check.name) == ["c", "t"])
    }

    @Test func `a wall clock that jumps changes nothing but what is shown`() throws {
        var world = World()
        var check = check()
        check.deregisterAfter = .seconds(60)
        try world.adopt("a", [check, self.check("t", .ttl(.seconds(100)))])
        world.failing = ["a"]
        world.run(for: .seconds(35))
        world.jump(by: 1_000_000)
        world.run(for: .seconds(5))
        world.jump(by: -2_000_000)
        world.run(for: .seconds(5))
        #expect(world.removals == [])
        #expect(world.transitions.map(\.check.status) == [.critical])
    }

    @Test func `when most targets fail at once statuses stay, two minutes at most`() throws {
        var world = World()
        for number in 0..<20 { try world.adopt("i\(number)", address: "10.0.0.\(number % 5 + 1)", [check()]) }
        world.run(for: .seconds(20))
        world.silent = Set((0..<20).map { "i\($0)" })
        world.run(for: .seconds(100))
        #expect(world.transitions == [])
        #expect(world.holds.count == 1)
        #expect(world.core.isHolding)
        world.run(for: .seconds(40))
        #expect(world.holds.last == .timedOut)
        #expect(world.transitions.count == 20)
        #expect(world.transitions.allSatisfy { $0.check.status == .critical })
        world.silent = []
        world.run(for: .seconds(40))
        #expect(world.transitions.count == 40)
        #expect(world.holds.count == 2)
    }

    @Test func `those that became critical before a hold began don't end it, though few others are left`() throws {
        var world = World()
        var check = check()
        check.fall = 1
        for number in 0..<12 { try world.adopt("i\(number)", address: "10.0.0.\(number % 5 + 1)", [check]) }
        world.run(for: .seconds(20))
        world.failing = Set((0..<12).map { "i\($0)" })
        world.run(for: .seconds(100))
        #expect(world.holds.count == 1)
        #expect(world.transitions.count == 6)
    }

    @Test func `a hold ends when the targets are back, and those that stay away become critical`() throws {
        var world = World()
        for number in 0..<20 { try world.adopt("i\(number)", address: "10.0.0.\(number % 5 + 1)", [check()]) }
        world.run(for: .seconds(20))
        world.failing = Set((0..<20).map { "i\($0)" })
        world.run(for: .seconds(60))
        #expect(world.holds.count == 1)
        world.failing = ["i3", "i4"]
        world.run(for: .seconds(12))
        #expect(world.holds.last == .recovered)
        world.run(for: .seconds(30))
        #expect(Set(world.transitions.map(\.id)) == ["i3", "i4"])
    }

    @Test func `what is reported during a hold stays, though runs fail, until a run counts again`() throws {
        var world = World()
        let all = (0..<20).map { "i\($0)" }
        for (number, id) in all.enumerated() { try world.adopt(id, address: "10.0.0.\(number % 5 + 1)", [check()]) }
        world.run(for: .seconds(20))
        world.failing = ["i0"]
        world.run(for: .seconds(40))
        #expect(world.status("i0") == .critical)
        world.failing = Set(all)
        world.run(for: .seconds(30))
        #expect(world.core.isHolding)
        _ = world.report("i0", "c", .passing)
        _ = world.report("i1", "c", .warning)
        world.run(for: .seconds(30))
        #expect(world.core.isHolding)
        #expect(world.status("i0") == .passing && world.status("i1") == .warning)
        world.failing = ["i0"]
        world.run(for: .seconds(25))
        #expect(world.holds.last == .recovered)
        #expect(world.status("i0") == .critical && world.status("i1") == .passing)
    }

    @Test func `failures one after the other are no hold`() throws {
        var world = World()
        for number in 0..<20 { try world.adopt("i\(number)", address: "10.0.0.\(number % 5 + 1)", [check()]) }
        world.run(for: .seconds(20))
        for number in 0..<18 {
            world.failing.insert("i\(number)")
            world.run(for: .seconds(40))
        }
        #expect(world.holds == [])
        #expect(world.transitions.count == 18)
    }

    @Test func `targets that have never passed do not count`() throws {
        var world = World()
        world.failing = Set((0..<20).map { "i\($0)" })
        for number in 0..<20 { try world.adopt("i\(number)", address: "10.0.0.\(number % 5 + 1)", [check()]) }
        world.run(for: .seconds(40))
        #expect(world.holds == [])
        #expect(world.transitions.count == 20)
    }

    @Test func `nothing is removed while statuses are held`() throws {
        var world = World()
        var mortal = check()
        (mortal.deregisterAfter, mortal.fall) = (.seconds(40), 1)
        for number in 0..<20 { try world.adopt("i\(number)", address: "10.0.0.\(number % 5 + 1)", [mortal]) }
        world.run(for: .seconds(20))
        world.failing = Set((0..<20).map { "i\($0)" })
        world.run(for: .seconds(90))
        #expect(world.core.isHolding)
        // Those that failed before it was noticed are critical, at most the share.
        #expect(world.transitions.count <= 10)
        #expect(world.removals == [])
    }

    @Test func `an address that checks may not connect to is not connected to, and nothing follows from it`() throws {
        let network = IPNetwork(try #require(IPAddress("10.0.0.0")), prefixLength: 8)
        var world = World(targets: CheckTargets(allow: [network]))
        var check = check()
        (check.initial, check.deregisterAfter) = (.critical, .seconds(10))
        try world.adopt("a", address: "192.0.2.1", [check])
        try world.adopt("b", address: "169.254.169.254", [self.check()])
        try world.adopt("d", address: "10.9.9.9", [self.check()])
        world.run(for: .seconds(30))
        #expect(world.runs == 3)
        #expect(world.transitions == [])
        #expect(world.removals == [])
        #expect(world.observed["a"]?.first?.output == "not run: the address is in no network of checks.allow")
        #expect(world.observed["b"]?.first?.output.hasPrefix("not run: ") == true)
    }
}

extension CheckObservation {
    /// As it is after a report.
    fileprivate func reported(_ status: CheckStatus, _ now: Moment) -> CheckObservation {
        CheckObservation(
            name: name, status: status, since: now.wall, output: "reported", duration: nil, checkedAt: now.wall)
    }
}
