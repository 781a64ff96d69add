import Engine
import Synchronization
import Testing

@testable import ControlPlane

/// The memory that clients make the server hold, and the threads for long work.
@Suite struct OctetBudgetTests {
    private let client = IPAddress.v4(0x0A00_0001)

    @Test func `one client has its part, all together the whole, and what ends is given back`() {
        let budget = OctetBudget(limit: 100, limitPerClient: 40)
        do {
            var first = budget.share(for: client)
            let own = [first.grow(to: 30), first.grow(to: 20), first.grow(to: 40), first.grow(to: 41)]
            #expect(own == [true, true, true, false])
            var second = budget.share(for: client)
            let beyond = second.grow(to: 1)
            #expect(!beyond)
            var other = budget.share(for: .v6(1, 1))
            let others = other.grow(to: 40)
            #expect(others)
            var unknown = budget.share(for: nil)
            let rest = [unknown.grow(to: 21), unknown.grow(to: 20)]
            #expect(rest == [false, true])
            #expect(budget.used == 100)
        }
        #expect(budget.used == 0)
        var again = budget.share(for: client)
        let isGranted = again.grow(to: 40)
        #expect(isGranted)
    }

    @Test func `threads beside the event loops take so much work at once and no more`() async {
        let threads = SideThreads(count: 2, capacity: 3)
        let gates = (0..<3).map { _ in AsyncStream.makeStream(of: Void.self) }
        let (begins, begin) = AsyncStream.makeStream(of: Void.self)
        await withTaskGroup(of: Int?.self) { group in
            for (number, gate) in gates.enumerated() {
                let stream = gate.stream
                group.addTask {
                    await threads.run {
                        begin.yield()
                        for await _ in stream {}
                        return number
                    }
                }
            }
            var iterator = begins.makeAsyncIterator()
            for _ in 0..<3 { _ = await iterator.next() }
            let beyond = await threads.run { 3 }
            #expect(beyond == nil)
            for gate in gates { gate.continuation.finish() }
            var results: Set<Int?> = []
            for await result in group { results.insert(result) }
            #expect(results == [0, 1, 2])
        }
        #expect(await threads.run { 4 } == 4)
    }
}
