import CEvent

/// The transport of a socket.
public enum SocketTransport: String, Sendable {
    /// Datagrams.
    case udp = "UDP"
    /// Connections, which the socket accepts.
    case tcp = "TCP"
}

/// A socket that was open before this process began: the parent process has opened it, or kept it from the previous
/// process. What has queued in it in the meantime is answered.
///
/// It stays open as long as this object lives, whatever happens to the duplicates of ``number``: this process does not
/// decide when its port is closed.
public final class InheritedSocket: Sendable {
    /// The address that it is bound to.
    public let address: SocketAddress
    /// Its transport.
    public let transport: SocketTransport
    private let descriptor: Descriptor

    /// Takes over a descriptor, and closes it in the end. Programs that this process starts do not inherit it.
    ///
    /// - Returns: `nil`, and closes the descriptor, if it is neither a UDP socket nor a listening TCP socket.
    public init?(descriptor number: Int32) {
        let descriptor = Descriptor(owning: number)
        guard let address = ListeningSocket.address(of: number),
            let transport = ListeningSocket.transport(of: number)
        else { return nil }
        _ = evutil_make_socket_closeonexec(number)
        self.descriptor = descriptor
        self.address = address
        self.transport = transport
    }

    private init(_ descriptor: consuming Descriptor, _ address: SocketAddress, _ transport: SocketTransport) {
        self.descriptor = descriptor
        self.address = address
        self.transport = transport
    }

    /// Opens sockets for a later process to inherit: all on one address, each with a share of the traffic.
    ///
    /// - Parameters:
    ///   - address: an address with a port.
    ///   - isForBoth: whether `[::]` accepts IPv4 too.
    /// - Throws: ``EngineError/cannotListen(_:transport:reason:)``.
    public static func open(
        _ address: SocketAddress, _ transport: SocketTransport, count: Int, isForBoth: Bool = false
    ) throws(EngineError) -> [InheritedSocket] {
        // Otherwise another process could share the address without being noticed.
        try ListeningSocket.probe(address, transport, isForBoth: isForBoth)
        var sockets: [InheritedSocket] = []
        for _ in 0..<count {
            let descriptor = try ListeningSocket.open(address, transport, isForBoth: isForBoth)
            sockets.append(InheritedSocket(descriptor, address, transport))
        }
        return sockets
    }

    /// The descriptor, which belongs to this object.
    public var number: Int32 { descriptor.number }

    /// Makes another descriptor of the same socket; the caller must close it.
    ///
    /// - Throws: ``EngineError/resourceExhausted(_:)``.
    public func duplicateNumber() throws(EngineError) -> Int32 { try duplicate().release() }

    /// Whether other sockets opened on the same address get a share of the traffic.
    var isShared: Bool { ListeningSocket.isShared(number) }

    /// Makes another descriptor of the same socket, for a worker.
    func duplicate() throws(EngineError) -> Descriptor {
        let copy = dup(number)
        guard copy >= 0 else { throw .resourceExhausted("file descriptors") }
        let descriptor = Descriptor(owning: copy)
        _ = evutil_make_socket_closeonexec(copy)
        return descriptor
    }
}

extension [InheritedSocket] {
    /// Those with this address and transport.
    func matching(_ address: SocketAddress, _ transport: SocketTransport) -> [InheritedSocket] {
        filter { $0.address == address && $0.transport == transport }
    }

    /// The sockets for one worker, given that all of these have the same address. Each socket gets at least one worker.
    /// If there are fewer sockets than workers, and no others can share the address, several workers use the same one.
    ///
    /// - Returns: `[nil]` if the worker must open one itself.
    func share(ofWorker worker: Int, of count: Int) -> [InheritedSocket?] {
        let own = indices.filter { $0 % count == worker }.map { self[$0] }
        if !own.isEmpty { return own }
        guard let first, !first.isShared else { return [nil] }
        return [self[worker % self.count]]
    }
}
