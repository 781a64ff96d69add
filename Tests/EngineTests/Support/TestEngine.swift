import Synchronization
import Testing

@testable import Engine

/// An engine on free loopback ports. It stops when the test ends.
final class TestEngine: Sendable {
    let engine: Engine
    private let serial = Atomic<UInt32>(1)

    /// Starts with a small zone: `web` with three addresses, `big` with more than a UDP answer holds.
    init(
        _ listen: [String] = ["127.0.0.1:0"], workers: Int = 1, tcp: TCPLimits = TCPLimits(),
        grace: Duration = .seconds(20), start: Bool = true, refusesUntilStart: Bool = false,
        forwarding: ForwardingConfiguration = ForwardingConfiguration(),
        defence: DefenceConfiguration = DefenceConfiguration()
    ) throws {
        var configuration = EngineConfiguration.test()
        configuration.listen = try listen.map { try #require(SocketAddress($0)) }
        configuration.workers = workers
        configuration.tcp = tcp
        configuration.forwarding = forwarding
        configuration.defence = defence
        engine = try Engine(configuration, grace: grace, refusesUntilStart: refusesUntilStart)
        try publish(["web": .records([.a(3)]), "big": .records([.a(4000)])])
        if start { try engine.start() }
    }

    deinit {
        engine.stop()
    }

    /// The first listening address.
    var address: SocketAddress { engine.localAddresses[0] }

    func publish(_ names: [String: NameContent]) throws {
        let number = serial.add(1, ordering: .relaxed).newValue
        let changes = names.map { NameChange(name: $0.key, content: $0.value) }
        try engine.publish(ZoneUpdate(serial: number, changes: changes))
    }

    /// The first address, with another host.
    func address(host: String) throws -> SocketAddress {
        SocketAddress(try #require(IPAddress(host)), port: address.port)
    }

    /// Waits until the statistics satisfy the condition.
    func waitForStatistics(_ isWanted: (EngineStatistics) -> Bool) throws {
        let end = ContinuousClock.now + .milliseconds(Int(TestSocket.patienceMilliseconds))
        while !isWanted(engine.statistics()) {
            guard ContinuousClock.now < end else { throw TestFailure("the statistics are \(engine.statistics())") }
            // Answering a query is an event of the worker's loop, so everything before it is done by then.
            _ = try TestSocket.udp(address).ask(TestQuery("web.service.kong"))
        }
    }
}

let web = TestQuery("web.service.kong")
let big = TestQuery("big.service.kong")
