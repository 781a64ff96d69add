import Glibc

/// An error of a socket.
struct SocketError: Error, CustomStringConvertible {
    var action: String
    var code: Int32

    /// Whether nothing arrived for too long.
    var isTimeout: Bool { code == EAGAIN }

    // Unsafe: strerror returns a C string that is valid until the thread's next call.
    var description: String { "\(action): \(unsafe String(cString: strerror(code)))" }
}

/// The result of a system call, which is repeated if a signal or a stopped machine interrupts it.
func uninterrupted(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// A blocking socket for tests. No wait is longer than its timeout.
final class ClientSocket: Sendable {
    enum Transport: Sendable, CaseIterable { case udp, tcp }

    /// This is far longer than any wait of a test that passes.
    static let timeoutSeconds = 10

    private let number: Int32

    /// Connects. Over UDP only datagrams from `endpoint` are received.
    convenience init(connectedTo endpoint: Endpoint, _ transport: Transport) throws {
        try unsafe self.init(endpoint, transport, "connect to \(endpoint)") { number, address, length in
            unsafe connect(number, address, length)
        }
    }

    /// A socket bound to an address, so that nobody else can have it. Over TCP it listens.
    static func bound(to endpoint: Endpoint, _ transport: Transport) throws -> ClientSocket {
        let socket = try unsafe ClientSocket(endpoint, transport, "bind \(endpoint)") { number, address, length in
            unsafe bind(number, address, length)
        }
        if transport == .tcp, listen(socket.number, 64) != 0 { throw SocketError(action: "listen", code: errno) }
        return socket
    }

    private init(
        _ endpoint: Endpoint,
        _ transport: Transport,
        _ action: String,
        _ attach: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        unsafe hints.ai_socktype = Int32((transport == .udp ? SOCK_DGRAM : SOCK_STREAM).rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        // Unsafe: the list is read before it is freed.
        guard unsafe getaddrinfo(endpoint.host, String(endpoint.port), &hints, &list) == 0, let first = unsafe list
        else {
            throw SocketError(action: "read \(endpoint)", code: EINVAL)
        }
        defer { unsafe freeaddrinfo(list) }
        let type = unsafe first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue)
        number = unsafe socket(first.pointee.ai_family, type, first.pointee.ai_protocol)
        guard number >= 0, let address = unsafe first.pointee.ai_addr else {
            throw SocketError(action: "open a socket", code: errno)
        }
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        // Unsafe: the kernel reads a timeval, and an address of the given length.
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, length)
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &timeout, length)
        guard unsafe attach(number, address, first.pointee.ai_addrlen) == 0 else {
            throw SocketError(action: action, code: errno)
        }
    }

    private init(accepted number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Waits for a client of a listening socket.
    ///
    /// - Returns: `nil` if none came within the time.
    func accept(within milliseconds: Int32) -> ClientSocket? {
        guard isReadable(within: milliseconds) else { return nil }
        let accepted = Glibc.accept(number, nil, nil)
        guard accepted >= 0 else { return nil }
        // A child process must not keep it open.
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return ClientSocket(accepted: accepted)
    }

    /// Sends all octets, over UDP as one datagram.
    func send(_ octets: some Collection<UInt8>) throws {
        let octets = Array(octets)
        var sent = 0
        repeat {
            // Unsafe: only octets of the array are read.
            let count = uninterrupted {
                unsafe octets.withUnsafeBytes { bytes in
                    let rest = unsafe bytes.baseAddress.map { unsafe $0 + sent }
                    return unsafe Glibc.send(number, rest, bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
            }
            guard count >= 0 else { throw SocketError(action: "send", code: errno) }
            sent += count
        } while sent < octets.count
    }

    /// Waits for octets of the stream, or for a datagram.
    ///
    /// - Returns: what arrived; over TCP nothing at the end of the stream.
    func receive(atMost limit: Int = 65_536) throws -> [UInt8] {
        var octets = [UInt8](repeating: 0, count: limit)
        // Unsafe: writes at most as many octets as given.
        let count = uninterrupted { unsafe recv(number, &octets, limit, 0) }
        guard count >= 0 else { throw SocketError(action: "receive", code: errno) }
        octets.removeLast(limit - count)
        return octets
    }

    /// Whether something can be received, or the peer has closed, within the time.
    func isReadable(within milliseconds: Int32 = 0) -> Bool {
        var descriptor = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        // Unsafe: one pollfd is given.
        return uninterrupted { Int(unsafe poll(&descriptor, 1, milliseconds)) } > 0
    }

    /// Waits for the end of the stream, and drops everything before it.
    func waitForEnd() throws {
        do {
            while try !receive().isEmpty {}
        } catch let error as SocketError where error.code == ECONNRESET {
            // An error is also an end.
        }
    }

    /// Ends the connection for both sides. Anyone who waits for octets finds the end.
    func cut() {
        shutdown(number, Int32(SHUT_RDWR))
    }

    /// Tells the peer that nothing more follows.
    func shutdownSending() {
        shutdown(number, Int32(SHUT_WR))
    }
}
