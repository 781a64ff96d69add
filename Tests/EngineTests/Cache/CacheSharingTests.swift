import Synchronization
import Testing

@testable import Engine

/// mallopt(3), which the module for glibc does not have.
@_silgen_name("mallopt") private func mallopt(_ parameter: Int32, _ value: Int32) -> Int32

/// The cache while several workers read, replace and evict.
struct CacheSharingTests {
    init() {
        // M_PERTURB overwrites memory when it is freed, so that a reader that still uses it gets a wrong answer.
        _ = mallopt(-6, 0x5A)
    }

    /// Clients wait over TCP for slow names, and send more queries than may wait. Each answer goes to many of them at
    /// once. Meanwhile another worker's answers to random names, and an operator, push it out of the cache.
    @Test(arguments: [1, 100_000])
    func `an answer is the same for all who waited for it, whatever becomes of it in the cache`(entries: Int) throws {
        let upstream = try ScriptedUpstream { request in
            // The letter may come in either case. The name of a probe has no letter.
            (request.name.dropFirst().first ?? 0) | 0x20 == UInt8(ascii: "s")
                ? .late(milliseconds: 20, request.address(1)) : .messages([request.address(2)])
        }
        let server = try TestEngine(
            upstreams: [upstream.address], timeout: .seconds(20), workers: 2,
            cache: CacheConfiguration(maximumEntries: entries))
        let wrong = Atomic<Int>(0)
        let count = Atomic<Int>(0)
        let clients = Mutex(try (0..<8).map { _ in try TestSocket.udp(server.address) })
        let random = try Background {
            let isRight = try? clients.withLock { clients in
                let number = count.add(8, ordering: .relaxed).newValue
                for (index, client) in clients.enumerated() {
                    try client.send(try TestQuery("r\(number + index).example.com").octets)
                }
                return try clients.allSatisfy { try TestReply(try $0.receive()).addresses == [.v4(0xC000_0202)] }
            }
            if isRight != true { wrong.add(1, ordering: .relaxed) }
        }
        let flush = try Background { _ = try? server.engine.removeFromCache(nil, subtree: false) }
        for round in 0..<6 {
            let sockets = try (0..<24).map { _ in try TestSocket.tcp(server.address) }
            for (index, socket) in sockets.enumerated() {
                let name = "s\(1000 + 10 * round + index % 4).example.com"
                try socket.sendFramed(Array(repeating: TestQuery(name), count: 220))
            }
            for socket in sockets {
                for _ in 0..<220 {
                    let reply = try socket.receiveFramed()
                    #expect(reply.responseCode == 0 && reply.addresses == [.v4(0xC000_0201)])
                }
            }
        }
        random.stop()
        flush.stop()
        #expect(wrong.load(ordering: .relaxed) == 0)
    }
}
