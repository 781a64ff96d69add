import Testing

@testable import Engine

/// The deadlines of queries under way.
struct DeadlineWheelTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_123_456)

    @Test func `what is due comes in the order of time, and nothing comes early`() {
        var random = SeededRandom(5)
        var wheel = DeadlineWheel<Int>()
        let times = (0..<1000).map { _ in Int64.random(in: 0..<500, using: &random) }
        for time in times { _ = wheel.insert(Int(time), at: start + .milliseconds(time)) }
        var popped: [Int] = []
        for now in Int64(0)..<500 {
            while let due = wheel.popDue(at: start + .milliseconds(now)) {
                #expect(due == Int(now))
                popped.append(due)
            }
        }
        #expect(popped == times.sorted().map { Int($0) } && wheel.count == 0 && wheel.earliest == nil)
    }

    @Test func `it agrees with a plain list, whatever is inserted and removed, near and far`() {
        var random = SeededRandom(6)
        var wheel = DeadlineWheel<Int>()
        var list: [Int: (time: MonotonicTime, ticket: DeadlineWheel<Int>.Ticket)] = [:]
        var gone: [DeadlineWheel<Int>.Ticket] = []
        var now = start
        for number in 0..<20_000 {
            switch random.next() % 8 {
            case 0..<4:
                // Deadlines are up to three turns of the wheel ahead, and some have passed already.
                let time = now + Nanoseconds(count: Int64.random(in: -5_000_000..<12_000_000_000, using: &random))
                list[number] = (time, wheel.insert(number, at: time))
            case 4, 5:
                guard let (key, entry) = list.randomElement(using: &random) else { break }
                wheel.remove(entry.ticket)
                gone.append(entry.ticket)
                list[key] = nil
            case 6:
                // A used ticket has no effect: its place may belong to another element by now.
                if let ticket = gone.randomElement(using: &random) { wheel.remove(ticket) }
            default:
                let step = random.next() % 50 == 0 ? 30_000_000_000 : Int64.random(in: 0..<20_000_000, using: &random)
                now = now + Nanoseconds(count: step)
                if let first = list.values.map(\.time).min(), let earliest = wheel.earliest {
                    #expect(earliest <= first)
                }
                var due: Set<Int> = []
                while let popped = wheel.popDue(at: now) { #expect(due.insert(popped).inserted) }
                #expect(due == Set(list.filter { $0.value.time <= now }.keys))
                for key in due { list[key] = nil }
            }
            #expect(wheel.count == list.count)
        }
        #expect(Set(wheel.elements) == Set(list.keys))
    }

    @Test
    func `a sleeper until the earliest time finds what is due, and wakes in vain at most once a turn`() {
        var wheel = DeadlineWheel<Int>()
        _ = wheel.insert(1, at: start + .seconds(10))
        var wakes = 0
        var now = start
        while let earliest = wheel.earliest {
            now = max(earliest, now)
            wakes += 1
            if wheel.popDue(at: now) != nil { break }
        }
        #expect(now == start + .seconds(10) && wakes <= 4)
    }
}
