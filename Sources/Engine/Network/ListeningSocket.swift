import CEvent

/// Opens the sockets that queries come in by.
enum ListeningSocket {
    /// Octets of queries that may wait in the kernel while a worker is busy: some 20 ms of its work.
    static let receiveBufferBytes: Int32 = 4 << 20
    /// Connections that may wait to be accepted.
    static let backlog: Int32 = 1024
    /// How often another port is tried when the system's choice for UDP is taken for TCP.
    static let portAttempts = 16

    /// An address that nobody else can have, and that nobody is answered at: its ports are closed until the workers'
    /// sockets are opened, for which this must go.
    final class Reservation: Sendable {
        /// With a port, where 0 was asked for.
        let address: SocketAddress
        private let udp: Descriptor
        private let tcp: Descriptor

        fileprivate init(_ address: SocketAddress, udp: consuming Descriptor, tcp: consuming Descriptor) {
            self.address = address
            self.udp = udp
            self.tcp = tcp
        }
    }

    /// Makes sure that nobody has the address, and finds a port for it where 0 was asked for.
    ///
    /// Workers' sockets share their port (SO_REUSEPORT), and so would those of a second server of the same user: half
    /// of the queries would go to each. So the address is bound once without sharing.
    static func reserve(_ address: SocketAddress) throws(EngineError) -> Reservation {
        var lastFailure = EngineError.resourceExhausted("ports")
        for _ in 0..<portAttempts {
            let udp = try open(address, SOCK_DGRAM, shared: false)
            var bound = address
            guard let port = Self.address(of: udp.number)?.port else { throw failure(address, "UDP") }
            bound.port = port
            do throws(EngineError) {
                _ = try open(bound, SOCK_STREAM, shared: false)
                // Sockets that listen and receive would have clients wait for nothing.
                refuse(udp.number, bound)
                return Reservation(
                    bound, udp: udp, tcp: try open(bound, SOCK_STREAM, shared: false, listens: false))
            } catch {
                lastFailure = error
                if address.port != 0 { break }
            }
        }
        throw lastFailure
    }

    /// Has a UDP socket receive nothing from now on: the kernel refuses what is sent to its port (ICMP, port
    /// unreachable), unless another socket has that. What has come in before can still be received, and replies sent.
    ///
    /// It is connected to itself: from there alone anything could come.
    ///
    /// - Parameter address: the one that it is bound to.
    static func refuse(_ socket: Int32, _ address: SocketAddress) {
        var own = address
        if own.address.isUnspecified { own.address = own.address.isIPv4 ? .v4(0x7F00_0001) : .v6(0, 1) }
        // Without a way to itself it goes on receiving, which is no worse than before.
        _ = unsafe attach(socket, own, CEvent.connect)
    }

    /// One worker's socket on an address, all of which share their port.
    ///
    /// - Parameter isForBoth: whether one of IPv6 takes IPv4 too, where it is bound to all addresses.
    static func open(
        _ address: SocketAddress, _ transport: SocketTransport, isForBoth: Bool = false
    ) throws(EngineError) -> Descriptor {
        try open(address, transport == .udp ? SOCK_DGRAM : SOCK_STREAM, shared: true, isForBoth: isForBoth)
    }

    /// Makes sure that nobody has the address, as ``reserve(_:)`` does.
    static func probe(_ address: SocketAddress, _ transport: SocketTransport, isForBoth: Bool) throws(EngineError) {
        _ = try open(address, transport == .udp ? SOCK_DGRAM : SOCK_STREAM, shared: false, isForBoth: isForBoth)
    }

    /// Makes a socket that somebody else has opened like one of ours.
    static func takeOver(_ socket: Int32, _ address: SocketAddress, _ transport: SocketTransport) throws(EngineError) {
        guard evutil_make_socket_nonblocking(socket) == 0, evutil_make_socket_closeonexec(socket) == 0 else {
            throw failure(address, transport.rawValue)
        }
        switch transport {
        case .udp:
            // A server that has refused queries to it, as it ended, had connected it: see refuse(_:_:).
            disconnect(socket)
            configureUDP(socket, address.address)
        case .tcp:
            guard listen(socket, backlog) == 0 else { throw failure(address, transport.rawValue) }
        }
    }

    private static func open(
        _ address: SocketAddress, _ type: __socket_type, shared: Bool, listens: Bool = true, isForBoth: Bool = false
    ) throws(EngineError) -> Descriptor {
        let family = address.address.isIPv4 ? AF_INET : AF_INET6
        let flags = Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let transport = (type == SOCK_DGRAM ? SocketTransport.udp : .tcp).rawValue
        let number = socket(family, flags, 0)
        guard number >= 0 else { throw failure(address, transport) }
        let socket = Descriptor(owning: number)
        if family == AF_INET6 { set(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, isForBoth ? 0 : 1) }
        if shared { set(number, SOL_SOCKET, SO_REUSEPORT, 1) }
        if type == SOCK_STREAM {
            // Only lets connections of an earlier run that linger in TIME_WAIT be; a listener still conflicts.
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
        guard bound == 0 else { throw failure(address, transport) }
        // Also when only tested: a TCP address conflicts with another listener no later than here.
        if type == SOCK_STREAM, listens, listen(number, backlog) != 0 { throw failure(address, transport) }
        return socket
    }

    /// How often another port is drawn when somebody has the first.
    private static let sourcePortAttempts = 4

    /// A UDP socket with a port of the caller's choice, connected to a server.
    ///
    /// - Parameter port: called for another port as long as somebody has the one before, a few times; then the system
    ///   chooses.
    /// - Returns: `nil` when the system gives no socket, or has no way to the server.
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

    /// Whether others may be bound to a socket's address and port, and have a share of what comes in.
    static func isShared(_ number: Int32) -> Bool { option(number, SO_REUSEPORT) == 1 }

    /// What kind of socket it is; `nil`: none that queries could come in by.
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
        // As root beyond net.core.rmem_max, else up to it.
        if !set(number, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes) {
            set(number, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes)
        }
        let isIPv4 = address.isIPv4
        // Forged "fragmentation needed" messages must not shrink what the kernel sends in one piece.
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

    /// The address that a socket is bound to; `nil` when it is no socket, or of neither IPv4 nor IPv6.
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
        // Unsafe: strerror's text is copied at once; the message table of the C locale is constant.
        let reason =
            unsafe strerror(last_error()).map { unsafe String(cString: $0) } ?? "error \(last_error())"
        return .cannotListen(address, transport: transport, reason: reason)
    }
}
