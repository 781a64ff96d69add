import CEvent

/// Opens the sockets that receive queries.
enum ListeningSocket {
    /// How many octets of queries may wait in the kernel while a worker is busy: some 20 ms of its work.
    static let receiveBufferBytes: Int32 = 4 << 20
    /// How many connections may wait to be accepted.
    static let backlog: Int32 = 1024
    /// How often another port is tried if the one that the system chose for UDP is in use for TCP.
    static let portAttempts = 16

    /// Keeps an address from others while nobody answers there. Its ports appear closed until the workers' sockets are
    /// opened; release it before that.
    final class Reservation: Sendable {
        /// The address, with the chosen port where 0 was requested.
        let address: SocketAddress
        private let udp: Descriptor
        private let tcp: Descriptor

        fileprivate init(_ address: SocketAddress, udp: consuming Descriptor, tcp: consuming Descriptor) {
            self.address = address
            self.udp = udp
            self.tcp = tcp
        }
    }

    /// Makes sure that nobody else has the address, and finds a port for it where 0 was requested.
    ///
    /// Workers' sockets share their port (SO_REUSEPORT). A second server of the same user could share it too, and half
    /// of the queries would go to each. So the address is first bound without sharing.
    static func reserve(_ address: SocketAddress) throws(EngineError) -> Reservation {
        var lastFailure = EngineError.resourceExhausted("ports")
        for _ in 0..<portAttempts {
            let udp = try open(address, .udp, shared: false)
            var bound = address
            guard let port = Self.address(of: udp.number)?.port else { throw failure(address, "UDP") }
            bound.port = port
            do throws(EngineError) {
                _ = try open(bound, .tcp, shared: false)
                // If these sockets received queries or accepted connections, clients would wait in vain.
                refuse(udp.number, bound)
                return Reservation(
                    bound, udp: udp, tcp: try open(bound, .tcp, shared: false, listens: false))
            } catch {
                lastFailure = error
                if address.port != 0 { break }
            }
        }
        throw lastFailure
    }

    /// Stops a UDP socket from receiving: from now on the kernel refuses what is sent to its port (ICMP, port
    /// unreachable), unless another socket has the port. What has arrived before can still be received, and replies can
    /// be sent.
    ///
    /// The socket is connected to itself, so it would receive only its own datagrams.
    ///
    /// - Parameter address: the address that it is bound to.
    static func refuse(_ socket: Int32, _ address: SocketAddress) {
        var own = address
        if own.address.isUnspecified { own.address = own.address.isIPv4 ? .v4(0x7F00_0001) : .v6(0, 1) }
        // If there is no route to itself it continues to receive, which is no worse than before.
        _ = unsafe attach(socket, own, CEvent.connect)
    }

    /// Opens one worker's socket on an address; all workers' sockets share the port.
    ///
    /// - Parameter isForBoth: whether an IPv6 socket bound to all addresses accepts IPv4 too.
    static func open(
        _ address: SocketAddress, _ transport: SocketTransport, isForBoth: Bool = false
    ) throws(EngineError) -> Descriptor {
        try open(address, transport, shared: true, isForBoth: isForBoth)
    }

    /// Makes sure that nobody else has the address, as ``reserve(_:)`` does.
    static func probe(_ address: SocketAddress, _ transport: SocketTransport, isForBoth: Bool) throws(EngineError) {
        _ = try open(address, transport, shared: false, isForBoth: isForBoth)
    }

    /// Configures a socket that another process has opened like one of our own.
    static func takeOver(_ socket: Int32, _ address: SocketAddress, _ transport: SocketTransport) throws(EngineError) {
        guard evutil_make_socket_nonblocking(socket) == 0, evutil_make_socket_closeonexec(socket) == 0 else {
            throw failure(address, transport.rawValue)
        }
        switch transport {
        case .udp:
            // A server that refused queries when it ended has connected the socket: see refuse(_:_:).
            disconnect(socket)
            configureUDP(socket, address.address)
        case .tcp:
            guard listen(socket, backlog) == 0 else { throw failure(address, transport.rawValue) }
        }
    }

    private static func open(
        _ address: SocketAddress, _ transport: SocketTransport, shared: Bool, listens: Bool = true,
        isForBoth: Bool = false
    ) throws(EngineError) -> Descriptor {
        let family = address.address.isIPv4 ? AF_INET : AF_INET6
        let type = transport == .udp ? SOCK_DGRAM : SOCK_STREAM
        let flags = Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = socket(family, flags, 0)
        guard number >= 0 else { throw failure(address, transport.rawValue) }
        let socket = Descriptor(owning: number)
        if family == AF_INET6 { set(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, isForBoth ? 0 : 1) }
        if shared { set(number, SOL_SOCKET, SO_REUSEPORT, 1) }
        if transport == .tcp {
            // This only tolerates an earlier server's connections in TIME_WAIT; another listener still conflicts.
            set(number, SOL_SOCKET, SO_REUSEADDR, 1)
        } else {
            configureUDP(number, address.address)
        }
        var storage = sockaddr_storage()
        let length = address.write(to: &storage)
        // Unsafe: `storage` holds an address of `length` octets.
        let bound = unsafe withUnsafeBytes(of: &storage) { bytes in
            guard let start = bytes.baseAddress else { return Int32(-1) }
            return unsafe bind(number, start.assumingMemoryBound(to: sockaddr.self), length)
        }
        guard bound == 0 else { throw failure(address, transport.rawValue) }
        // Also for a mere test: only here does a TCP address always conflict with another listener.
        if transport == .tcp, listens, listen(number, backlog) != 0 { throw failure(address, transport.rawValue) }
        return socket
    }

    /// How often another port is drawn if the first is in use.
    private static let sourcePortAttempts = 4

    /// A UDP socket with a port of the caller's choice, connected to a server.
    ///
    /// - Parameter port: draws a port; called again a few times if the port is in use, then the system chooses.
    /// - Returns: `nil` if the system has no socket left, or no route to the server.
    static func openConnected(_ server: SocketAddress, port: () -> UInt16) -> Descriptor? {
        let family = server.address.isIPv4 ? AF_INET : AF_INET6
        let number = socket(
            family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return nil }
        let socket = Descriptor(owning: number)
        var local = SocketAddress(server.address.isIPv4 ? .v4(0) : .v6(0, 0), port: 0)
        for _ in 0..<sourcePortAttempts {
            local.port = port()
            if unsafe attach(number, local, CEvent.bind) { break }
        }
        guard unsafe attach(number, server, CEvent.connect) else { return nil }
        return consume socket
    }

    private static func attach(
        _ number: Int32, _ address: SocketAddress, _ call: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32
    ) -> Bool {
        var storage = sockaddr_storage()
        let length = address.write(to: &storage)
        // Unsafe: `storage` holds an address of `length` octets.
        return unsafe withUnsafeBytes(of: &storage) { bytes in
            unsafe call(number, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), length) == 0
        }
    }

    /// Lets a connected UDP socket receive from everybody again (connect(2), AF_UNSPEC). It keeps its address.
    private static func disconnect(_ number: Int32) {
        var nobody = sockaddr()
        nobody.sa_family = sa_family_t(AF_UNSPEC)
        // Unsafe: the kernel reads the structure.
        _ = unsafe connect(number, &nobody, socklen_t(MemoryLayout<sockaddr>.size))
    }

    /// Whether other sockets may be bound to a socket's address and port, and get a share of the traffic.
    static func isShared(_ number: Int32) -> Bool { option(number, SO_REUSEPORT) == 1 }

    /// The transport of a socket; `nil` if it can't receive queries.
    static func transport(of number: Int32) -> SocketTransport? {
        switch option(number, SO_TYPE) {
        case Int32(SOCK_DGRAM.rawValue): .udp
        case Int32(SOCK_STREAM.rawValue): option(number, SO_ACCEPTCONN) == 1 ? .tcp : nil
        default: nil
        }
    }

    private static func option(_ number: Int32, _ option: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // Unsafe: the kernel writes at most the four octets of `value`.
        return unsafe getsockopt(number, SOL_SOCKET, option, &value, &length) == 0 ? value : nil
    }

    private static func configureUDP(_ number: Int32, _ address: IPAddress) {
        // Root may exceed net.core.rmem_max; others get as much as it allows.
        if !set(number, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes) {
            set(number, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes)
        }
        let isIPv4 = address.isIPv4
        // Forged "fragmentation needed" messages must not reduce the size that the kernel sends in one piece.
        set(
            number, Int32(isIPv4 ? IPPROTO_IP : IPPROTO_IPV6),
            isIPv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
            isIPv4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_OMIT)
        if address.isUnspecified {
            set(
                number, Int32(isIPv4 ? IPPROTO_IP : IPPROTO_IPV6), isIPv4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1
            )
        }
    }

    @discardableResult
    private static func set(_ number: Int32, _ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
        var value = value
        // Unsafe: the kernel reads the four octets of `value`.
        return unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
            == 0
    }

    /// The address that a socket is bound to; `nil` if it is no socket, or neither IPv4 nor IPv6.
    static func address(of number: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // Unsafe: the kernel writes at most `length` octets.
        let result = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            guard let start = bytes.baseAddress else { return Int32(-1) }
            return unsafe getsockname(number, start.assumingMemoryBound(to: sockaddr.self), &length)
        }
        return result == 0 ? SocketAddress(storage) : nil
    }

    private static func failure(_ address: SocketAddress, _ transport: String) -> EngineError {
        // Unsafe: strerror's text is copied at once; the messages of the C locale are constant.
        let reason =
            unsafe strerror(last_error()).map { unsafe String(cString: $0) } ?? "error \(last_error())"
        return .cannotListen(address, transport: transport, reason: reason)
    }
}
