import Testing

@testable import ControlPlane

/// Which transfers wait for a connection, and which one is next.
@Suite struct TransferQueueTests {
    private func transfer(_ host: String, timeout: Duration? = nil) -> Transfer {
        Transfer(HTTPClientRequest(url: "http://\(host)/path", timeout: timeout))
    }

    private func start(_ queue: inout TransferQueue) -> [Transfer] {
        var started: [Transfer] = []
        while let next = queue.next() { started.append(next) }
        return started
    }

    @Test func `origins take turns within the limits`() {
        var queue = TransferQueue(maximumRunning: 4, maximumRunningPerOrigin: 2)
        let waiting = ["a", "a", "a", "b", "c", "c"].map { transfer($0) }
        for transfer in waiting { queue.append(transfer) }
        let started = start(&queue)
        #expect(started.map(\.origin) == ["http://a", "http://b", "http://c", "http://a"])
        // a is at its limit.
        queue.release(started[1])
        let second = start(&queue)
        #expect(second.map(\.origin) == ["http://c"])
        queue.release(started[0])
        let third = start(&queue)
        #expect(third.first === waiting[2] && third.count == 1)
        for transfer in [started[2], started[3], second[0], third[0]] { queue.release(transfer) }
        #expect(start(&queue).isEmpty)
    }

    @Test func `those of an origin run in the order they came`() {
        var queue = TransferQueue(maximumRunning: 8, maximumRunningPerOrigin: 1)
        let waiting = (0..<5).map { _ in transfer("a") }
        for transfer in waiting { queue.append(transfer) }
        for expected in waiting {
            let started = start(&queue)
            #expect(started.count == 1 && started[0] === expected)
            queue.release(started[0])
        }
    }

    @Test func `those that are removed take no place`() {
        var queue = TransferQueue(maximumRunning: 1, maximumRunningPerOrigin: 1)
        let waiting = ["a", "b", "a", "c"].map { transfer($0) }
        for transfer in waiting { queue.append(transfer) }
        #expect(queue.next() === waiting[0])
        #expect(queue.removeWaiting { $0 === waiting[1] || $0 === waiting[2] }.count == 2)
        #expect(queue.next() == nil)
        queue.release(waiting[0])
        #expect(queue.next() === waiting[3])
        queue.append(waiting[1])
        queue.release(waiting[3])
        #expect(queue.next() === waiting[1])
    }

    @Test func `the next deadline is that of one that waits`() {
        var queue = TransferQueue(maximumRunning: 0, maximumRunningPerOrigin: 1)
        let waiting = [60, nil, 30, 90].map { transfer("a", timeout: $0.map { .seconds($0) }) }
        for transfer in waiting { queue.append(transfer) }
        #expect(queue.nextDeadline == waiting[2].deadline)
        #expect(queue.removeWaiting { $0 === waiting[2] }.count == 1)
        #expect(queue.nextDeadline == waiting[0].deadline)
        #expect(queue.removeWaiting { $0 !== waiting[1] }.count == 2)
        #expect(queue.nextDeadline == nil)
    }

    @Test(arguments: [
        ("http://Host:1/a/b?c#d", "http://host:1"), ("https://host", "https://host"),
        ("http://host?a/b", "http://host"),
        ("http://[::1]:80/a", "http://[::1]:80"), ("http://", "http://"), ("", ""), ("http", "http"),
    ])
    func `the origin is scheme, host and port`(url: String, origin: String) {
        #expect(HTTPClientRequest(url: url).origin == origin)
    }

    @Test func `random changes keep the limits and lose nothing`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var queue = TransferQueue(maximumRunning: 5, maximumRunningPerOrigin: 2)
            var (waiting, running): ([Transfer], [Transfer]) = ([], [])
            for _ in 0..<100 {
                switch Int.random(in: 0..<4, using: &random) {
                case 0, 1:
                    let new = transfer(["a", "b", "c", "d"].randomElement(using: &random) ?? "a")
                    waiting.append(new)
                    queue.append(new)
                case 2:
                    guard let index = running.indices.randomElement(using: &random) else { continue }
                    queue.release(running.remove(at: index))
                default:
                    guard let one = waiting.randomElement(using: &random) else { continue }
                    #expect(queue.removeWaiting { $0 === one }.count == 1)
                    waiting.removeAll { $0 === one }
                }
                for next in start(&queue) {
                    #expect(waiting.contains { $0 === next })
                    waiting.removeAll { $0 === next }
                    running.append(next)
                }
                let counts = Dictionary(grouping: running, by: \.origin).mapValues(\.count)
                #expect(running.count <= 5 && counts.values.allSatisfy { $0 <= 2 })
                // Transfers wait only for a reason.
                #expect(running.count == 5 || waiting.allSatisfy { counts[$0.origin] == 2 })
            }
        }
    }
}
