import Testing

@testable import Engine

/// Which work has its turn in a worker's loop.
struct WorkPaceTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    /// Pieces of work of 10 µs each, with pauses between them.
    private func work(_ pace: inout WorkPace, pieces: Int, pause: Nanoseconds, from start: MonotonicTime)
        -> (end: MonotonicTime, looks: Int)
    {
        var now = start
        var looks = 0
        for _ in 0..<pieces {
            pace.noteOtherTurn()
            pace.noteBegin(now)
            if pace.isLookDue(now) { looks += 1 }
            now = now + Nanoseconds(count: 10_000)
            pace.noteEnd(now)
            now = now + pause
        }
        return (now, looks)
    }

    @Test func `with time to spare queries go first, and are looked for after a few pieces of other work`() {
        var pace = WorkPace()
        let (_, looks) = work(&pace, pieces: 100, pause: WorkPace.pause * 2, from: start)
        #expect(looks == 100 && !pace.isSaturated && pace.queriesGoFirst)
        var busy = WorkPace()
        let burst = work(&busy, pieces: 300, pause: .zero, from: start)
        #expect(!busy.isSaturated && (90...110).contains(burst.looks))
    }

    @Test func `without a pause for a while looks become seldom, until there is one`() {
        var pace = WorkPace()
        let (end, _) = work(&pace, pieces: 1100, pause: .zero, from: start)
        #expect(pace.isSaturated && !pace.queriesGoFirst)
        let (later, looks) = work(&pace, pieces: 1000, pause: .zero, from: end)
        #expect((45...55).contains(looks))
        _ = work(&pace, pieces: 1, pause: .zero, from: later + WorkPace.pause * 2)
        #expect(!pace.isSaturated && pace.queriesGoFirst)
    }

    @Test func `queries do not go first without end`() {
        var pace = WorkPace()
        for _ in 0..<(WorkPace.turnsAtOnce - 1) { pace.noteTurn() }
        #expect(pace.queriesGoFirst)
        pace.noteTurn()
        #expect(!pace.queriesGoFirst)
        pace.noteOtherTurn()
        #expect(pace.queriesGoFirst)
    }
}
