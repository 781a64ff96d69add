import Testing

@testable import ControlPlane

@Suite struct CheckScheduleTests {
    private let start = ContinuousClock.now

    /// Runs a schedule in steps of a millisecond; a run takes as long as `duration` says, and ends at `timeout`.
    private struct World {
        var schedule: CheckSchedule
        var now: ContinuousClock.Instant
        var ends: [UInt64: (at: ContinuousClock.Instant, duration: Duration)] = [:]
        /// When runs began, by check.
        var starts: [UInt64: [ContinuousClock.Instant]] = [:]
        /// When runs ended with a result.
        var results: [UInt64: [ContinuousClock.Instant]] = [:]
        var mostRunning = 0
        var timeout = Duration.seconds(2)
        let duration: (UInt64) -> Duration

        mutating func run(until end: ContinuousClock.Instant) {
            while now < end {
                step()
                now = now.advanced(by: .milliseconds(1))
            }
        }

        mutating func step() {
            for (id, end) in ends where end.at <= now {
                ends[id] = nil
                results[id, default: []].append(now)
                schedule.finish(id, duration: end.duration, isSilent: end.duration >= timeout)
            }
            let turn = schedule.turn(now: now)
            for id in turn.interrupted { #expect(ends.removeValue(forKey: id) != nil) }
            for id in turn.started {
                #expect(ends[id] == nil, "runs of a check overlap")
                let duration = min(duration(id), timeout)
                ends[id] = (now.advanced(by: duration), duration)
                starts[id, default: []].append(now)
            }
            mostRunning = max(mostRunning, ends.count)
            #expect(schedule.runningCount == ends.count)
            #expect(ends.count <= schedule.maximumConcurrent)
        }
    }

    private func world(
        _ count: UInt64, interval: Duration = .seconds(10), maximumConcurrent: Int = 1000, seed: UInt64 = 7,
        _ duration: @escaping (UInt64) -> Duration
    ) -> World {
        var schedule = CheckSchedule(maximumConcurrent: maximumConcurrent, seed: seed)
        for id in 0..<count { schedule.add(id, interval: interval, now: start) }
        return World(schedule: schedule, now: start, duration: duration)
    }

    @Test(arguments: [1, 42, UInt64.max])
    func `20,000 checks that are added at once are spread evenly over the interval`(seed: UInt64) {
        var world = world(20_000, seed: seed) { _ in .milliseconds(1) }
        world.run(until: start + .milliseconds(10_002))
        #expect(world.starts.count == 20_000)
        #expect(world.starts.values.count { $0.count > 1 } < 20)
        var counts = [Int](repeating: 0, count: 100)
        for first in world.starts.values.compactMap(\.first) {
            counts[min(99, Int(start.duration(to: first) / .milliseconds(100)))] += 1
        }
        #expect(counts.allSatisfy { (150...250).contains($0) }, "\(counts)")
        #expect(world.mostRunning < 20)
    }

    @Test func `runs of a check begin one interval apart, without drift`() {
        var world = world(50) { .milliseconds(5 + Int($0)) }
        world.run(until: start + .seconds(100))
        for starts in world.starts.values {
            #expect(starts.count == 10)
            for (run, begin) in starts.enumerated() {
                let expected = starts[0].advanced(by: .seconds(10 * run))
                #expect(
                    expected.duration(to: begin) < .milliseconds(2) && expected.duration(to: begin) > .milliseconds(-2))
            }
        }
    }

    @Test func `after a pause each check runs once, not once for each time that was missed`() {
        var world = world(100) { _ in .milliseconds(1) }
        world.run(until: start + .seconds(20))
        let before = world.starts.mapValues(\.count)
        world.now = start + .seconds(3600)
        world.run(until: start + .seconds(3601))
        for (id, starts) in world.starts { #expect(starts.count - before[id, default: 0] <= 2) }
        world.run(until: start + .seconds(3621))
        for (id, starts) in world.starts {
            #expect((2...4).contains(starts.count - before[id, default: 0]))
            // Two starts are at least half an interval apart.
            for (one, next) in zip(starts, starts.dropFirst()) { #expect(one.duration(to: next) >= .seconds(5)) }
        }
    }

    @Test func `a run as long as the interval is followed by the next at once`() {
        var world = world(1, interval: .seconds(1)) { _ in .seconds(60) }
        world.timeout = .seconds(1)
        world.run(until: start + .seconds(20))
        #expect((18...20).contains(world.starts[0]?.count ?? 0))
    }

    @Test func `no more run at once than may`() {
        var world = world(100, interval: .seconds(1), maximumConcurrent: 7) { _ in .milliseconds(50) }
        world.run(until: start + .seconds(5))
        #expect(world.mostRunning == 7)
        // 7 places and 50 ms allow 140 runs a second.
        #expect(world.starts.values.allSatisfy { $0.count >= 4 })
    }

    @Test func `when most targets fall silent at once the others are not delayed by more than their timeout`() {
        // Every tenth goes on answering.
        var world = world(20_000) { id in .milliseconds(1) }
        world.run(until: start + .seconds(11))
        let schedule = world.schedule
        world = World(schedule: schedule, now: world.now, ends: world.ends) { id in
            id.isMultiple(of: 10) ? .milliseconds(1) : .seconds(60)
        }
        let fallen = world.now
        world.run(until: fallen + .seconds(60))
        for id in stride(from: UInt64(0), to: 20_000, by: 10) {
            var last = fallen
            for result in world.results[id, default: []] {
                #expect(last.duration(to: result) <= .seconds(12))
                last = result
            }
            #expect(last.duration(to: world.now) <= .seconds(12))
        }
        // The silent ones have their turns nevertheless.
        let silent = world.results.filter { !$0.key.isMultiple(of: 10) }
        #expect(silent.count > 10_000)
    }

    @Test func `a target that is slow but answers is not taken for silent`() {
        var world = world(2000, interval: .seconds(2), maximumConcurrent: 1000) { _ in .milliseconds(700) }
        world.run(until: start + .seconds(20))
        for results in world.results.values { #expect(results.count >= 8) }
    }

    @Test func `a check that is removed is not started, in whatever state it is`() {
        var world = world(300, interval: .seconds(1), maximumConcurrent: 2) { _ in .milliseconds(500) }
        world.run(until: start + .milliseconds(700))
        for id in UInt64(0)..<300 where !id.isMultiple(of: 3) {
            world.schedule.remove(id)
            world.ends[id] = nil
        }
        #expect(world.schedule.count == 100)
        let before = world.starts
        world.run(until: start + .seconds(20))
        for id in UInt64(0)..<300 where !id.isMultiple(of: 3) { #expect(world.starts[id]?.count == before[id]?.count) }
        for id in UInt64(0)..<300 { world.schedule.remove(id) }
        #expect(world.schedule.runningCount == 0)
        let next = world.schedule.nextTurn()
        #expect(next == nil)
    }

    @Test func `the next turn is neither too late nor for nothing`() throws {
        var schedule = CheckSchedule(maximumConcurrent: 1, seed: 3)
        for id in UInt64(0)..<300 { schedule.add(id, interval: .seconds(10), now: start) }
        func next() throws -> ContinuousClock.Instant {
            let next = schedule.nextTurn()
            return try #require(next)
        }
        let first = try next()
        let early = schedule.turn(now: first.advanced(by: .nanoseconds(-1)))
        #expect(early == CheckSchedule.Turn())
        let begun = schedule.turn(now: first).started
        #expect(begun.count == 1)
        let second = try next()
        let blocked = schedule.turn(now: second)
        #expect(blocked.started.isEmpty, "the place is taken")
        let third = try next()
        #expect(third > second)
        var now = third
        while now < first.advanced(by: CheckSchedule.patience) {
            let turn = schedule.turn(now: now)
            #expect(turn == CheckSchedule.Turn())
            now = try next()
        }
        #expect(now == first.advanced(by: CheckSchedule.patience))
        let turn = schedule.turn(now: now)
        #expect(turn.interrupted == begun)
        #expect(turn.started.count == 1)
    }
}
