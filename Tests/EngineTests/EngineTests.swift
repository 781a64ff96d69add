import CEvent
import Glibc
import Synchronization
import Testing

@testable import Engine

/// The public interface of the engine: publish, start, stop, statistics.
struct EngineTests {
    // MARK: Publishing

    @Test func `what is published is answered by every worker at once`() throws {
        let server = try TestEngine(workers: 4)
        // There are many source ports, so that the kernel's hash reaches the sockets of all workers.
        let sockets = try (0..<32).map { _ in try TestSocket.udp(server.address) }
        for round in 1...2000 {
            let isThere = round % 2 == 1
            try server.publish(["flip": isThere ? .records([.a(1)]) : .absent])
            for offset in 0..<2 {
                let reply = try sockets[(2 * round + offset) % sockets.count].ask(TestQuery("flip.service.kong"))
                #expect(reply.outcome == (isThere ? .records : .nameError), "round \(round)")
            }
        }
        // All workers took part; without that this test would prove little. Each worker has its own rotation, so the
        // first answers for a new name begin with the first address once for each worker.
        try server.publish(["fresh": .records([.a(100)])])
        let firsts = try sockets.map { try $0.ask(TestQuery("fresh.service.kong").offering(payload: 4096)) }
        #expect(firsts.count { $0.isTruncated } == sockets.count)
        try server.publish(["fresh2": .records([.a(20)])])
        let turns = try sockets.map { try $0.ask(TestQuery("fresh2.service.kong")).addresses.first }
        #expect(turns.count { $0 == .ten(0) } >= 3, "\(turns)")
    }

    @Test func `what is published is answered at once under load, over UDP and TCP`() throws {
        let server = try TestEngine(workers: 2)
        let address = server.address
        let load = try (0..<2).map { _ in
            let socket = Mutex(try TestSocket.udp(address))
            let query = try web.octets
            return try Background {
                socket.withLock { socket in
                    for _ in 0..<20 { try? socket.send(query) }
                    for _ in 0..<20 where socket.isReadable(withinMilliseconds: 50) { _ = try? socket.receive() }
                }
            }
        }
        let udp = try (0..<8).map { _ in try TestSocket.udp(address) }
        let tcp = try (0..<8).map { _ in try TestSocket.tcp(address) }
        for round in 1...1000 {
            let count = round % 20 + 1
            try server.publish(["flip": .records([.a(count)])])
            #expect(try udp[round % 8].ask(TestQuery("flip.service.kong")).addresses.count == count)
            #expect(try tcp[round % 8].askFramed(TestQuery("flip.service.kong")).addresses.count == count)
        }
        for thread in load { thread.stop() }
    }

    @Test func `publishing from several threads at once loses nothing`() throws {
        let server = try TestEngine(workers: 2)
        let rounds = Atomic<Int>(0)
        let failures = Atomic<Int>(0)
        let threads = try (0..<3).map { number in
            let socket = Mutex(try TestSocket.udp(server.address))
            let isThere = Mutex(false)
            return try Background {
                isThere.withLock { isThere in
                    isThere.toggle()
                    rounds.add(1, ordering: .relaxed)
                    do {
                        try server.publish(["mine\(number)": isThere ? .records([.a(1)]) : .absent])
                        let reply = try socket.withLock { try $0.ask(TestQuery("mine\(number).service.kong")) }
                        if reply.outcome != (isThere ? .records : .nameError) { failures.add(1, ordering: .relaxed) }
                    } catch {
                        failures.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        let client = try TestSocket.udp(server.address)
        while rounds.load(ordering: .relaxed) < 600 { #expect(try client.ask(web).addresses.count == 3) }
        for thread in threads { thread.stop() }
        #expect(failures.load(ordering: .relaxed) == 0)
    }

    @Test func `generations count up, a refused update does not`() throws {
        let server = try TestEngine()
        let first = try server.engine.publish(ZoneUpdate(serial: 10, changes: []))
        let bad = NameChange(name: "", content: .absent)
        #expect(throws: EngineError.self) { try server.engine.publish(ZoneUpdate(serial: 11, changes: [bad])) }
        #expect(try server.engine.publish(ZoneUpdate(serial: 12, changes: [])) == first + 1)
    }

    @Test func `nothing is answered before the start, and then from what was published`() throws {
        let server = try TestEngine(workers: 2, start: false)
        let sockets = try (0..<8).map { _ in try TestSocket.udp(server.address) }
        let tcp = try TestSocket.tcp(server.address)
        for socket in sockets { try socket.send(try TestQuery("late.service.kong").octets) }
        try tcp.sendFramed([TestQuery("late.service.kong")])
        #expect(!sockets[0].isReadable(withinMilliseconds: 50))
        for count in 1...3 { try server.publish(["late": .records([.a(count)])]) }
        try server.engine.start()
        for socket in sockets { #expect(try TestReply(try socket.receive()).addresses.count == 3) }
        #expect(try tcp.receiveFramed().addresses.count == 3)
    }

    @Test(arguments: ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"])
    func `queries can be refused until the start, on ports that nobody else gets`(listen: String) throws {
        let server = try TestEngine([listen], workers: 2, start: false, refusesUntilStart: true)
        let address = try server.address(host: listen.hasPrefix("[") ? "::1" : "127.0.0.1")
        let early = try TestSocket.udp(address)
        for _ in 0..<10 { #expect(try !early.isAnswered(web)) }
        #expect(throws: TestFailure.self) { try TestSocket.tcp(address) }
        #expect(throws: EngineError.self) { try TestEngine([server.address.description]) }
        try server.engine.start()
        for _ in 0..<10 { #expect(try early.isAnswered(web)) }
        #expect(try TestSocket.tcp(address).askFramed(web).addresses.count == 3)
        let never = try TestEngine(start: false, refusesUntilStart: true)
        never.engine.stop()
        #expect(try TestEngine([never.address.description]).address == never.address)
    }

    // MARK: The end

    @Test(arguments: ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"])
    func `a query at any time around the stop is answered or refused`(listen: String) throws {
        for _ in 0..<5 {
            let server = try TestEngine([listen], workers: 2)
            let address = try server.address(host: listen.hasPrefix("[") ? "::1" : "127.0.0.1")
            let asked = Atomic<Int>(0)
            let failures = Mutex<[String]>([])
            let refused = Atomic<Int>(0)
            let clients = try (0..<3).map { _ in
                try Background {
                    do {
                        // Each query comes from another port, so it may reach any worker.
                        let isAnswered = try TestSocket.udp(address).isAnswered(web)
                        if !isAnswered { refused.add(1, ordering: .relaxed) }
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                    asked.add(1, ordering: .relaxed)
                }
            }
            while asked.load(ordering: .relaxed) < 100 {}
            server.engine.stop()
            while refused.load(ordering: .relaxed) < 20, failures.withLock({ $0.isEmpty }) {}
            for client in clients { client.stop() }
            #expect(failures.withLock { $0 } == [])
        }
    }

    @Test func `a client that waits for an upstream when the engine stops gets SERVFAIL`() throws {
        let upstream = try ScriptedUpstream { _ in .silence }
        let server = try TestEngine(
            grace: .milliseconds(100),
            forwarding: ForwardingConfiguration(
                upstreams: UpstreamConfiguration(
                    servers: [upstream.address], timeout: .seconds(60), allow: [IPNetwork(.v4(0), prefixLength: 0)])))
        let client = try TestSocket.udp(server.address)
        try client.send(try TestQuery("www.example.com").octets)
        try server.waitForStatistics { $0[.upstreamUDPQueries] > 0 }
        server.engine.stop()
        #expect(try TestReply(try client.receive()).outcome == .serverFailure)
    }

    @Test func `stopping answers what was received`() throws {
        for _ in 0..<5 {
            let server = try TestEngine(workers: 2)
            let tcp = try (0..<10).map { _ in try TestSocket.tcp(server.address) }
            for socket in tcp { #expect(try socket.askFramed(web).addresses.count == 3) }
            let udp = try (0..<20).map { _ in try TestSocket.udp(server.address) }
            for socket in udp { try socket.send(try web.octets) }
            for socket in tcp { try socket.sendFramed([web, big, web]) }
            server.engine.stop()
            for socket in udp { #expect(try TestReply(try socket.receive()).addresses.count == 3) }
            for socket in tcp {
                for count in [3, 4000, 3] { #expect(try socket.receiveFramed().addresses.count == count) }
                #expect(socket.isClosedByServer())
            }
        }
    }

    @Test func `stopping answers clients that have only just connected`() throws {
        for _ in 0..<20 {
            let server = try TestEngine(workers: 2)
            let tcp = try (0..<10).map { _ in
                let socket = try TestSocket.tcp(server.address)
                try socket.sendFramed([web])
                return socket
            }
            server.engine.stop()
            for socket in tcp { #expect(try socket.receiveFramed().addresses.count == 3) }
        }
    }

    @Test func `stopping waits neither for idle clients, nor longer than the grace time for slow ones`() throws {
        let server = try TestEngine(grace: .milliseconds(300))
        let idle = try (0..<50).map { _ in try TestSocket.tcp(server.address) }
        for socket in idle { try socket.send([0]) }
        let slow = try TestSocket.tcp(server.address)
        try slow.shrinkReceiveBuffer()
        try slow.sendFramed(Array(repeating: big, count: 100))
        try server.waitForStatistics { $0[.connectionsOpen] == 51 && $0[.tcpQueries] > 0 }
        let start = ContinuousClock.now
        server.engine.stop()
        // The bound is generous, because the machine may be busy. Without the end of the grace time, stopping would
        // never return.
        #expect(ContinuousClock.now - start < .seconds(20))
        for socket in idle { #expect(socket.isClosedByServer()) }
    }

    @Test func `stopping twice, or before the start, is harmless`() throws {
        let server = try TestEngine()
        server.engine.stop()
        server.engine.stop()
        try server.publish(["web": .absent])
        try server.engine.start()
        let never = try TestEngine(start: false)
        never.engine.stop()
        try never.engine.start()
        // It is stopped for good, so nobody answers. The sockets of an engine that ran are closed, so its port is free
        // again.
        let address = server.address
        #expect(throws: (any Error).self) { try TestSocket.tcp(address) }
        #expect(try TestEngine([address.description]).address == address)
    }

    // MARK: Errors

    @Test func `a port in use is an error that names it`() throws {
        let server = try TestEngine()
        let address = server.address
        for listen in [address.description, "0.0.0.0:\(address.port)"] {
            do {
                _ = try TestEngine(["127.0.0.1:0", listen])
                Issue.record("\(listen) was bound twice")
            } catch let error as EngineError {
                #expect("\(error)".contains(listen) && "\(error)".contains("Address already in use"))
            }
        }
        #expect(try TestSocket.udp(address).ask(web).addresses.count == 3)
    }

    @Test func `a port that only TCP has taken is an error too`() throws {
        // The port of a TCP client: it is bound, and not shared.
        let server = try TestEngine()
        let taken = try TestSocket.tcp(server.address, from: SocketAddress("127.0.0.1:0"))
        let listener = try TakenPort()
        do {
            _ = try TestEngine([listener.address.description])
            Issue.record("the port was bound twice")
        } catch let error as EngineError {
            guard case .cannotListen(let address, let transport, _) = error else { throw error }
            #expect(address == listener.address && transport == "TCP")
        }
        #expect(try taken.askFramed(web).addresses.count == 3)
    }

    @Test func `an address of another host is an error`() throws {
        #expect(throws: EngineError.self) { try TestEngine(["192.0.2.1:0"]) }
    }

    @Test func `values out of range are refused before anything is opened`() throws {
        let changes: [(inout EngineConfiguration) -> Void] = [
            { $0.workers = 0 }, { $0.workers = Engine.maximumWorkers + 1 }, { $0.udpPayload = 511 },
            { $0.udpPayload = 4097 }, { $0.tcp.maximumConnections = 0 }, { $0.tcp.maximumPerClient = 0 },
            { $0.tcp.idleTimeout = .zero }, { $0.tcp.maximumQueries = -1 }, { $0.zone.ttl = 0 },
            { $0.zone.origin = "" }, { $0.version = String(repeating: "v", count: 256) },
        ]
        for change in changes {
            var configuration = EngineConfiguration.test()
            change(&configuration)
            #expect(throws: EngineError.self) { try Engine(configuration) }
        }
    }

    @Test func `each counter has a place and a name of its own`() {
        #expect(Counter.allCases.count <= WorkerCounters.capacity)
        let names = Counter.allCases.map { "\($0.description.group).\($0.description.name)" }
        #expect(Set(names).count == names.count)
        let counters = WorkerCounters()
        for counter in Counter.allCases { counters.count(counter, UInt64(counter.rawValue) + 1) }
        counters.uncount(.connectionsOpen)
        var statistics = EngineStatistics()
        statistics.add(counters)
        statistics.add(counters)
        for counter in Counter.allCases where counter != .connectionsOpen {
            #expect(statistics[counter] == 2 * (UInt64(counter.rawValue) + 1), "\(counter)")
        }
        #expect(statistics[.connectionsOpen] == 2 * UInt64(Counter.connectionsOpen.rawValue))
    }

    @Test func `statistics count what was answered`() throws {
        let server = try TestEngine()
        try server.publish(["broken": .failure])
        let socket = try TestSocket.udp(server.address)
        var notify = web
        notify.opcode = 4
        for query in [
            web, big, TestQuery("nothing.service.kong"), TestQuery("web.service.kong", .txt),
            TestQuery("broken.service.kong"), TestQuery("example.com"), notify, web.offering(payload: 1232, version: 1),
        ] { _ = try socket.ask(query) }
        try socket.send(try web.octets(replacing: [5: 2]))
        _ = try socket.receive()
        try socket.send([0])
        _ = try TestSocket.tcp(server.address).askFramed(web)
        let statistics = server.engine.statistics()
        #expect(statistics[.udpQueries] == 10 && statistics[.tcpQueries] == 1 && statistics[.dropped] == 1)
        #expect(statistics[.answered] == 3 && statistics[.truncated] == 1 && statistics[.nameErrors] == 1)
        #expect(statistics[.noData] == 1 && statistics[.serverFailures] == 1 && statistics[.refused] == 1)
        #expect(statistics[.notImplemented] == 1 && statistics[.badVersions] == 1 && statistics[.formatErrors] == 1)
        #expect(statistics[.connectionsAccepted] == 1 && statistics[.sendErrors] == 0)
    }
}

/// A TCP port on which somebody else listens.
private struct TakenPort: ~Copyable {
    let address: SocketAddress
    private let descriptor: Descriptor

    init() throws {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw TestFailure("no socket") }
        let descriptor = Descriptor(owning: number)
        // listen(2) without bind(2) takes a free port on all addresses.
        guard listen(number, 1) == 0 else { throw TestFailure("can't listen") }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // Unsafe: the kernel writes at most `length` octets.
        let result = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            guard let start = bytes.baseAddress else { return Int32(-1) }
            return unsafe getsockname(number, start.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard result == 0, let bound = SocketAddress(storage), let loopback = IPAddress("127.0.0.1") else {
            throw TestFailure("no port")
        }
        self.descriptor = descriptor
        address = SocketAddress(loopback, port: bound.port)
    }
}
