import CEvent

/// Opens the sockets that queries come in by.
enum ListeningSocket {
    /// Octets of queries that may wait in the kernel while a worker is busy: some 20 ms of its work.
    static let receiveBufferBytes: Int32 = 4 << 20
    /// Connections that may wait to be accepted.
    static let backlog: Int32 = 1024
    /// How often another port is tried when the system's choice for UDP is taken for TCP.
    static let portAttempts = 16

    /// The sockets of one address: for each worker one for UDP and one for TCP, all on the same port.
    struct Pair: ~Copyable {
        let udp: Descriptor
        let tcp: Descriptor
    }

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
            bound.port = try port(of: udp, like: address)
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

    /// One worker's sockets on an address.
    static func openPair(_ address: SocketAddress) throws(EngineError) -> Pair {
        Pair(
            udp: try open(address, SOCK_DGRAM, shared: true),
            tcp: try open(address, SOCK_STREAM, shared: true))
    }

    private static func open(
        _ address: SocketAddress, _ type: __socket_type, shared: Bool, listens: Bool = true
    ) throws(EngineError) -> Descriptor {
        let family = address.address.isIPv4 ? AF_INET : AF_INET6
        let flags = Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let transport = type == SOCK_DGRAM ? "UDP" : "TCP"
        let number = socket(family, flags, 0)
        guard number >= 0 else { throw failure(address, transport) }
        let socket = Descriptor(owning: number)
        if family == AF_INET6 { set(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
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

    /// The port that a socket is bound to.
    ///
    /// - Parameter address: for the error's text.
    /// - Throws: ``EngineError/cannotListen(_:transport:reason:)`` when the system does not tell.
    static func port(of socket: borrowing Descriptor, like address: SocketAddress)
        throws(EngineError) -> UInt16
    {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // Unsafe: the kernel writes at most `length` octets.
        let result = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            guard let start = bytes.baseAddress else { return Int32(-1) }
            return unsafe getsockname(
                socket.number, start.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard result == 0, let bound = SocketAddress(storage) else { throw failure(address, "UDP") }
        return bound.port
    }

    private static func failure(_ address: SocketAddress, _ transport: String) -> EngineError {
        // Unsafe: strerror's text is copied at once; the message table of the C locale is constant.
        let reason =
            unsafe strerror(last_error()).map { unsafe String(cString: $0) } ?? "error \(last_error())"
        return .cannotListen(address, transport: transport, reason: reason)
    }
}

extension SocketAddress {
    /// Writes the socket API's form.
    ///
    /// - Returns: its length in octets.
    func write(to storage: inout sockaddr_storage) -> socklen_t {
        // Unsafe: sockaddr_storage has room for, and the alignment of, both forms.
        unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            switch address {
            case .v4(let value):
                var form = sockaddr_in()
                form.sin_family = sa_family_t(AF_INET)
                form.sin_port = port.bigEndian
                form.sin_addr.s_addr = value.bigEndian
                unsafe bytes.storeBytes(of: form, as: sockaddr_in.self)
                return socklen_t(MemoryLayout<sockaddr_in>.size)
            case .v6(let high, let low):
                var form = sockaddr_in6()
                form.sin6_family = sa_family_t(AF_INET6)
                form.sin6_port = port.bigEndian
                unsafe withUnsafeMutableBytes(of: &form.sin6_addr) { octets in
                    unsafe octets.storeBytes(of: high.bigEndian, as: UInt64.self)
                    unsafe octets.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
                }
                unsafe bytes.storeBytes(of: form, as: sockaddr_in6.self)
                return socklen_t(MemoryLayout<sockaddr_in6>.size)
            }
        }
    }

    /// Reads the socket API's form; `nil` when it is neither IPv4 nor IPv6.
    init?(_ storage: sockaddr_storage) {
        // Unsafe: sockaddr_storage has room for, and the alignment of, both forms.
        let read: SocketAddress? = unsafe withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let form = unsafe bytes.load(as: sockaddr_in.self)
                return SocketAddress(
                    .v4(UInt32(bigEndian: form.sin_addr.s_addr)), port: UInt16(bigEndian: form.sin_port))
            case AF_INET6:
                let form = unsafe bytes.load(as: sockaddr_in6.self)
                let (high, low) = unsafe withUnsafeBytes(of: form.sin6_addr) { octets in
                    unsafe (
                        UInt64(bigEndian: octets.loadUnaligned(as: UInt64.self)),
                        UInt64(bigEndian: octets.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                    )
                }
                return SocketAddress(.v6(high, low), port: UInt16(bigEndian: form.sin6_port))
            default: return nil
            }
        }
        guard let read else { return nil }
        self = read
    }
}
