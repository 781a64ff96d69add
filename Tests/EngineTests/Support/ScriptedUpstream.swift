import CEvent
import Glibc
import Synchronization

@testable import Engine

/// A query that a scripted upstream got.
struct UpstreamRequest: Sendable {
    var octets: [UInt8]
    var isTCP: Bool
    /// The number of queries before it.
    var number: Int
    /// The port from which it came.
    var port: UInt16
    /// The time when it came.
    var time = ContinuousClock.now

    init(octets: [UInt8], isTCP: Bool, number: Int, port: UInt16) {
        self.octets = octets
        self.isTCP = isTCP
        self.number = number
        self.port = port
        isProbe = octets[12] == 0 || LoopName.number(of: name.map(\.lowercasedASCII)) != nil
    }

    /// The name, with its letters as they came.
    var name: [UInt8] { [UInt8](octets[12..<(questionEnd - 4)]) }
    var type: UInt16 { UInt16(octets[questionEnd - 4]) << 8 | UInt16(octets[questionEnd - 3]) }
    /// Whether it is a probe. This is computed once, because it is asked of all requests whenever one comes.
    private(set) var isProbe = false
    var hasEDNS: Bool { octets[11] > 0 }
    /// Whether the name has a capital letter.
    var hasCapitals: Bool { name.contains { (65...90).contains($0) } }
    var questionEnd: Int {
        var end = 12
        while octets[end] > 0 { end += 1 + Int(octets[end]) }
        return end + 5
    }

    /// A reply with the question, and these records behind it.
    func reply(
        code: UInt8 = 0, flags: UInt8 = 0x81, answers: [[UInt8]] = [], authority: [[UInt8]] = [],
        additional: [[UInt8]] = []
    ) -> [UInt8] {
        var reply = [UInt8](octets[0..<questionEnd])
        reply[2] = flags
        reply[3] = 0x80 | code
        for (place, records) in [(6, answers), (8, authority), (10, additional)] {
            reply[place] = UInt8(records.count >> 8)
            reply[place + 1] = UInt8(records.count & 0xFF)
            for record in records { reply += record }
        }
        return reply
    }

    /// The usual reply, with one address.
    func address(_ last: UInt8 = 1, ttl: UInt32 = 60) -> [UInt8] {
        reply(answers: [record(1, ttl: ttl, [192, 0, 2, last])])
    }

    /// NXDOMAIN with a SOA.
    func nameError(ttl: UInt32 = 60, minimum: UInt32 = 60) -> [UInt8] {
        reply(code: 3, authority: [record(6, owner: [0], ttl: ttl, soaData(minimum: minimum))])
    }

    /// The reply with the question's name in small letters.
    func inSmallLetters(_ reply: [UInt8]) -> [UInt8] {
        var reply = reply
        for place in 12..<(questionEnd - 4) { reply[place] = reply[place].lowercasedASCII }
        return reply
    }
}

/// A record in wire form. Its owner is the question's name unless another one is given.
func record(_ type: UInt16, owner: [UInt8] = [0xC0, 12], ttl: UInt32 = 60, _ data: [UInt8]) -> [UInt8] {
    owner + [UInt8(type >> 8), UInt8(type & 0xFF), 0, 1] + ttl.octets
        + [UInt8(data.count >> 8), UInt8(data.count & 0xFF)] + data
}

/// A flag that a test sets and a script reads.
final class TestFlag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}

/// The data of a SOA record in which both names are the root.
func soaData(minimum: UInt32) -> [UInt8] {
    [0, 0] + [UInt8](repeating: 0, count: 16) + minimum.octets
}

extension UInt32 {
    /// The number in network order.
    var octets: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (24 - 8 * UInt32($0))) } }
}

/// A server on a loopback port, over UDP and TCP. For each query it does what its script says. It stops when the test
/// ends.
final class ScriptedUpstream: Sendable {
    typealias Reaction = UpstreamThread.Reaction
    typealias Script = UpstreamThread.Script

    private let server: UpstreamThread

    /// - Parameters:
    ///   - address: the port of a server that is gone, for one that comes back.
    ///   - answersPerConnection: the number of answers after which a TCP connection is closed; `nil`: none is closed.
    init(at wanted: SocketAddress? = nil, answersPerConnection: Int? = nil, _ script: @escaping Script) throws {
        server = try UpstreamThread(at: wanted, answersPerConnection: answersPerConnection, script)
    }

    /// Answers every query with one address.
    convenience init(at wanted: SocketAddress? = nil, address last: UInt8 = 1, ttl: UInt32 = 60) throws {
        try self.init(at: wanted) { .messages([$0.address(last, ttl: ttl)]) }
    }

    /// Answers every query with 3,700 addresses, which is 59 KB, over TCP alone.
    static func longAnswers() throws -> ScriptedUpstream {
        let records = (0..<3700).map { record(1, UInt32($0).octets) }
        return try ScriptedUpstream { request in
            .messages([request.isTCP ? request.reply(answers: records) : request.reply(flags: 0x83)])
        }
    }

    deinit {
        server.stop()
    }

    var address: SocketAddress { server.address }

    /// The queries so far, without probes.
    var requests: [UpstreamRequest] { server.requests }

    /// The queries so far, without those that repeat an earlier one, as happens when a busy machine is late.
    var distinctRequests: [UpstreamRequest] {
        var seen: Set<[UInt8]> = []
        return requests.filter { request in
            let form = [request.isTCP, request.hasEDNS, request.hasCapitals].map { UInt8($0 ? 1 : 0) }
            return seen.insert(request.name.map(\.lowercasedASCII) + [UInt8(request.type & 255)] + form).inserted
        }
    }

    /// The number of TCP connections so far.
    var connectionCount: Int { server.connectionCount.load(ordering: .relaxed) }

    /// How often something was sent over TCP so far.
    var deliveredCount: Int { server.deliveredCount.load(ordering: .relaxed) }

    /// Uses another script from now on.
    func change(_ script: @escaping Script) { server.change(script) }

    /// Ends the server and closes its ports.
    func stop() { server.stop() }
}

/// The server itself. Its thread holds it while it runs.
final class UpstreamThread: Sendable {
    /// What the server does with a query.
    enum Reaction: Sendable {
        case silence
        /// One or more messages, one after the other.
        case messages([[UInt8]])
        /// One message, after a delay.
        case late(milliseconds: Int64, [UInt8])
        /// One message over UDP, once the flag is set.
        case held(until: TestFlag, [UInt8])
        /// Octets over TCP as they are, perhaps not a whole message.
        case raw([UInt8])
        /// Closes the TCP connection.
        case close
    }

    typealias Script = @Sendable (UpstreamRequest) -> Reaction

    let address: SocketAddress
    /// If a mutex held the function itself, each read would wrap it once more, thousands of times deep.
    private struct Current { var script: Script }
    private let current: Mutex<Current>
    private let received = Mutex<[UpstreamRequest]>([])
    let connectionCount = Atomic<Int>(0)
    let deliveredCount = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private let thread = Mutex<pthread_t?>(nil)
    private let udp: Int32
    private let tcp: Int32

    private let answersPerConnection: Int?

    /// - Parameter address: the port of a server that is gone, for one that comes back.
    init(at wanted: SocketAddress? = nil, answersPerConnection: Int?, _ script: @escaping Script) throws {
        self.answersPerConnection = answersPerConnection
        current = Mutex(Current(script: script))
        let reserved = try ListeningSocket.reserve(wanted ?? SocketAddress(.v4(0x7F00_0001), port: 0)).address
        address = reserved
        // Both descriptors are closed in stop().
        udp = try ListeningSocket.open(reserved, .udp).release()
        tcp = try ListeningSocket.open(reserved, .tcp).release()
        var thread = pthread_t()
        // Unsafe: the thread takes over the reference; if there is no thread, the reference is taken back here.
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        let result = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<UpstreamThread>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        guard result == 0 else {
            unsafe Unmanaged<UpstreamThread>.fromOpaque(context).release()
            throw TestFailure("no thread")
        }
        self.thread.withLock { $0 = thread }
    }

    /// Ends the server and closes its ports.
    func stop() {
        thread.withLock { thread in
            guard let running = thread else { return }
            stopping.store(true, ordering: .relaxed)
            _ = pthread_join(running, nil)
            thread = nil
            _ = close(udp)
            _ = close(tcp)
        }
    }

    /// Uses another script from now on.
    func change(_ script: @escaping Script) {
        current.withLock { $0.script = script }
    }

    /// The queries so far, without probes.
    var requests: [UpstreamRequest] { received.withLock { $0.filter { !$0.isProbe } } }

    private func run() {
        var connections: [(number: Int32, octets: [UInt8], answers: Int)] = []
        var late: [Late] = []
        while !stopping.load(ordering: .relaxed) {
            var polled = ([udp, tcp] + connections.map(\.number)).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            // Unsafe: as many entries as given.
            _ = unsafe poll(&polled, nfds_t(polled.count), 2)
            receive(&late)
            let number = accept(tcp, nil, nil)
            if number >= 0 {
                connections.append((number, [], 0))
                connectionCount.add(1, ordering: .relaxed)
            }
            for index in connections.indices.reversed() {
                if !serve(&connections[index]) {
                    _ = close(connections[index].number)
                    connections.remove(at: index)
                }
            }
            late.removeAll { entry in
                guard entry.time <= .now, entry.flag?.isSet ?? true else { return false }
                send(entry.octets, to: entry.to)
                return true
            }
        }
        for connection in connections { _ = close(connection.number) }
    }

    private func react(_ octets: [UInt8], isTCP: Bool, port: UInt16) -> Reaction {
        let request = received.withLock { received in
            let request = UpstreamRequest(
                octets: octets, isTCP: isTCP, number: received.count { !$0.isProbe }, port: port)
            received.append(request)
            return request
        }
        return current.withLock { $0.script }(request)
    }

    /// A message that is sent later.
    private struct Late {
        var time = ContinuousClock.now
        var flag: TestFlag?
        var octets: [UInt8]
        var to: sockaddr_storage
    }

    private func receive(_ late: inout [Late]) {
        for _ in 0..<64 {
            var octets = [UInt8](repeating: 0, count: 2048)
            var client = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            // Unsafe: the kernel writes at most as many octets as given.
            let count = unsafe withUnsafeMutableBytes(of: &client) { bytes in
                unsafe recvfrom(
                    udp, &octets, 2048, Int32(MSG_DONTWAIT),
                    bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
            }
            guard count > 16 else { return }
            switch react([UInt8](octets.prefix(count)), isTCP: false, port: SocketAddress(client)?.port ?? 0) {
            case .silence, .close, .raw: break
            case .messages(let messages): for message in messages { send(message, to: client) }
            case .late(let milliseconds, let message):
                late.append(Late(time: .now + .milliseconds(milliseconds), octets: message, to: client))
            case .held(let flag, let message): late.append(Late(flag: flag, octets: message, to: client))
            }
        }
    }

    private func send(_ octets: [UInt8], to client: sockaddr_storage) {
        var client = client
        // Unsafe: the storage holds an IPv4 address.
        _ = unsafe withUnsafeBytes(of: &client) { bytes in
            unsafe sendto(
                udp, octets, octets.count, 0, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }

    /// - Returns: `false` if the connection is to be closed.
    private func serve(_ connection: inout (number: Int32, octets: [UInt8], answers: Int)) -> Bool {
        var octets = [UInt8](repeating: 0, count: 4096)
        // Unsafe: the kernel writes at most 4,096 octets.
        let count = unsafe recv(connection.number, &octets, 4096, Int32(MSG_DONTWAIT))
        if count == 0 { return false }
        if count > 0 { connection.octets += octets.prefix(count) }
        while connection.octets.count >= 2 {
            let end = 2 + (Int(connection.octets[0]) << 8 | Int(connection.octets[1]))
            guard connection.octets.count >= end else { return true }
            let message = [UInt8](connection.octets[2..<end])
            connection.octets.removeFirst(end)
            switch react(message, isTCP: true, port: 0) {
            case .silence, .late, .held: break
            case .close: return false
            case .messages(let messages):
                if !deliver(messages.flatMap(framed), on: connection.number) { return false }
                connection.answers += 1
                if connection.answers == answersPerConnection { return false }
            case .raw(let octets): if !deliver(octets, on: connection.number) { return false }
            }
        }
        return true
    }

    private func deliver(_ octets: [UInt8], on connection: Int32) -> Bool {
        var rest = octets[...]
        while !rest.isEmpty {
            // Unsafe: the kernel reads `count` octets.
            let sent = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        deliveredCount.add(1, ordering: .relaxed)
        return true
    }
}

extension TestEngine {
    /// An engine that forwards to these upstreams.
    convenience init(
        upstreams: [SocketAddress], policy: UpstreamPolicyName = .sequential, timeout: Duration = .milliseconds(1500),
        allow: [String] = ["127.0.0.0/8"], workers: Int = 1, cache: CacheConfiguration = CacheConfiguration(),
        maximumInFlight: Int = 4096, tcp: TCPLimits = TCPLimits(), caseRandomization: CaseRandomization = .on
    ) throws {
        try self.init(
            workers: workers, tcp: tcp,
            forwarding: ForwardingConfiguration(
                upstreams: UpstreamConfiguration(
                    servers: upstreams, policy: policy, timeout: timeout,
                    allow: allow.compactMap(IPNetwork.init(text:)), caseRandomization: caseRandomization),
                maximumInFlight: maximumInFlight, cache: cache))
    }

    /// Asks from a new socket.
    func ask(_ query: TestQuery) throws -> TestReply { try TestSocket.udp(address).ask(query) }

    /// Asks for an address, and measures how long that takes.
    func time(_ name: String) throws -> (reply: TestReply, milliseconds: Int) {
        let start = ContinuousClock.now
        let reply = try ask(TestQuery(name))
        return (reply, Int((ContinuousClock.now - start) / .milliseconds(1)))
    }
}

extension IPNetwork {
    /// Parses `10.0.0.0/8`.
    init?(text: String) {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let address = IPAddress(parts[0]), let length = Int(parts[1]) else { return nil }
        self.init(address, prefixLength: length)
    }
}
