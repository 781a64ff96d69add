import CEvent
import Glibc

@testable import Engine

/// A client's socket. It waits for events with a deadline that only a broken server reaches.
final class TestSocket {
    /// How long a reply may take if the machine is busy with other things.
    static let patienceMilliseconds: Int32 = 30_000

    private let descriptor: Descriptor

    private init(
        _ server: SocketAddress, type: __socket_type, from local: SocketAddress?, sharesPort: Bool = false
    ) throws {
        let family = server.address.isIPv4 ? AF_INET : AF_INET6
        let number = socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw TestFailure("no socket") }
        descriptor = Descriptor(owning: number)
        if sharesPort { try set(SOL_SOCKET, SO_REUSEPORT, to: 1) }
        if let local { try unsafe apply(local) { unsafe bind($0, $1, $2) } }
        try connect(to: server)
    }

    /// A UDP socket that sends to `server` and receives from it alone.
    ///
    /// - Parameter sharesPort: whether other sockets that also set it may have the same local address.
    static func udp(
        _ server: SocketAddress, from local: SocketAddress? = nil, sharesPort: Bool = false
    ) throws -> TestSocket {
        try TestSocket(server, type: SOCK_DGRAM, from: local, sharesPort: sharesPort)
    }

    /// A TCP connection.
    static func tcp(_ server: SocketAddress, from local: SocketAddress? = nil) throws -> TestSocket {
        try TestSocket(server, type: SOCK_STREAM, from: local)
    }

    /// Sends to another address from now on, and receives from it alone.
    func connect(to address: SocketAddress) throws {
        try unsafe apply(address) { unsafe Glibc.connect($0, $1, $2) }
    }

    private func apply(
        _ address: SocketAddress, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws {
        var storage = sockaddr_storage()
        let length = address.write(to: &storage)
        // Unsafe: `storage` holds an address of `length` octets.
        let result = unsafe withUnsafeBytes(of: &storage) { bytes in
            guard let start = bytes.baseAddress else { return Int32(-1) }
            return unsafe call(descriptor.number, start.assumingMemoryBound(to: sockaddr.self), length)
        }
        guard result == 0 else { throw TestFailure("\(address): error \(last_error())") }
    }

    /// The descriptor's number.
    var number: Int32 { descriptor.number }

    /// Sets an option of the socket.
    func set(_ level: Int32, _ option: Int32, to value: Int32) throws {
        var value = value
        // Unsafe: the kernel reads four octets.
        let result = unsafe setsockopt(descriptor.number, level, option, &value, 4)
        guard result == 0 else { throw TestFailure("option \(option): error \(last_error())") }
    }

    /// Asks the kernel for a small receive buffer, so that unread data soon holds up the server.
    func shrinkReceiveBuffer() throws {
        try set(SOL_SOCKET, SO_RCVBUF, to: 4096)
    }

    /// The socket's address, on a host to which it is known to be bound.
    func address(on host: IPAddress) throws -> SocketAddress {
        guard let bound = ListeningSocket.address(of: descriptor.number) else { throw TestFailure("no address") }
        return SocketAddress(host, port: bound.port)
    }

    /// Sends octets: one datagram, or a piece of the stream.
    func send(_ octets: [UInt8]) throws {
        var rest = octets[...]
        while !rest.isEmpty {
            // Unsafe: the kernel reads `count` octets.
            let sent = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { throw TestFailure("can't send: error \(last_error())") }
            rest = rest.dropFirst(sent)
        }
    }

    /// Sends as much as the connection takes without waiting.
    ///
    /// - Returns: how many octets were sent; `nil` if the connection is closed.
    func sendWhatFits(_ octets: [UInt8]) -> Int? {
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        // Unsafe: the kernel reads `count` octets.
        let sent = unsafe Glibc.send(descriptor.number, octets, octets.count, flags)
        if sent >= 0 { return sent }
        return last_error() == EAGAIN ? 0 : nil
    }

    /// Closes the sending side.
    func finish() {
        _ = shutdown(descriptor.number, Int32(SHUT_WR))
    }

    /// Whether something can be read, including the end, now or before the deadline.
    func isReadable(withinMilliseconds timeout: Int32 = TestSocket.patienceMilliseconds) -> Bool {
        var entry = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        // Unsafe: one entry.
        return unsafe poll(&entry, 1, timeout) > 0
    }

    /// The next datagram, or what is in the stream; empty at its end.
    func receive(atMost count: Int = 65536) throws -> [UInt8] {
        guard isReadable() else { throw TestFailure("nothing came") }
        var octets = [UInt8](repeating: 0, count: count)
        // Unsafe: the kernel writes at most `count` octets.
        let received = unsafe recv(descriptor.number, &octets, count, 0)
        guard received >= 0 else { throw TestFailure("can't receive: error \(last_error())") }
        return [UInt8](octets.prefix(received))
    }

    /// Whether the server closes the connection, in whatever way.
    func isClosedByServer() -> Bool {
        while isReadable() {
            guard let octets = try? receive() else { return true }
            if octets.isEmpty { return true }
        }
        return false
    }

    // MARK: DNS

    /// Sends a datagram and waits for the reply.
    func ask(_ query: TestQuery) throws -> TestReply {
        try send(try query.octets)
        return try TestReply(try receive())
    }

    /// Asks over UDP.
    ///
    /// - Returns: `false` if nobody has the port.
    func isAnswered(_ query: TestQuery) throws -> Bool {
        try send(try query.octets)
        guard isReadable() else { throw TestFailure("neither answered nor refused") }
        var octets = [UInt8](repeating: 0, count: 4096)
        // Unsafe: the kernel writes at most `count` octets.
        if unsafe recv(descriptor.number, &octets, octets.count, 0) > 0 { return true }
        guard last_error() == ECONNREFUSED else { throw TestFailure("can't receive: error \(last_error())") }
        return false
    }

    /// Sends queries over TCP in one piece.
    func sendFramed(_ queries: [TestQuery]) throws {
        try send(try queries.flatMap { framed(try $0.octets) })
    }

    /// The next message over TCP.
    func receiveFramed() throws -> TestReply {
        let prefix = try receiveExactly(2)
        return try TestReply(try receiveExactly(Int(prefix[0]) << 8 | Int(prefix[1])))
    }

    /// Asks over TCP.
    func askFramed(_ query: TestQuery) throws -> TestReply {
        try sendFramed([query])
        return try receiveFramed()
    }

    private func receiveExactly(_ count: Int) throws -> [UInt8] {
        var octets: [UInt8] = []
        while octets.count < count {
            let more = try receive(atMost: count - octets.count)
            guard !more.isEmpty else { throw TestFailure("the connection ended after \(octets.count) octets") }
            octets += more
        }
        return octets
    }
}

/// A message after its length (RFC 1035 §4.2.2).
func framed(_ message: [UInt8]) -> [UInt8] {
    [UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
}
