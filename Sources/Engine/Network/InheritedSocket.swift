import CEvent

/// What a socket carries.
public enum SocketTransport: String, Sendable {
    /// Datagrams.
    case udp = "UDP"
    /// Connections, which the socket accepts.
    case tcp = "TCP"
}

/// A socket that was open before this process began: whoever started it has opened it, or has kept it from the process
/// before. What has queued in it meanwhile is answered.
///
/// It stays open as long as this object lives, whatever is done with ``number``'s duplicates: it is not this process
/// that decides when its port is closed.
public final class InheritedSocket: Sendable {
    /// The address that it is bound to.
    public let address: SocketAddress
    /// What it carries.
    public let transport: SocketTransport
    private let descriptor: Descriptor

    /// Takes over a descriptor, and closes it in the end. Programs that this process may start don't get it.
    ///
    /// - Returns: `nil`, and closes the descriptor, when it is neither a UDP socket nor a listening TCP socket.
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

    /// Opens sockets that a later process shall inherit: all on one address, each with a share of what comes in.
    ///
    /// - Parameters:
    ///   - address: with a port.
    ///   - isForBoth: whether `[::]` takes IPv4 too.
    /// - Throws: ``EngineError/cannotListen(_:transport:reason:)``.
    public static func open(
        _ address: SocketAddress, _ transport: SocketTransport, count: Int, isForBoth: Bool = false
    ) throws(EngineError) -> [InheritedSocket] {
        // Others, too, could have a share.
        try ListeningSocket.probe(address, transport, isForBoth: isForBoth)
        var sockets: [InheritedSocket] = []
        for _ in 0..<count {
            let descriptor = try ListeningSocket.open(address, transport, isForBoth: isForBoth)
            sockets.append(InheritedSocket(descriptor, address, transport))
        }
        return sockets
    }

    /// The descriptor. It belongs to this object.
    public var number: Int32 { descriptor.number }

    /// Another descriptor of the same socket, which is the caller's to close.
    ///
    /// - Throws: ``EngineError/resourceExhausted(_:)``.
    public func duplicateNumber() throws(EngineError) -> Int32 { try duplicate().release() }

    /// Whether sockets that are opened on the same address get a share of what comes in.
    var isShared: Bool { ListeningSocket.isShared(number) }

    /// A descriptor of the same socket, for a worker.
    func duplicate() throws(EngineError) -> Descriptor {
        let copy = dup(number)
        guard copy >= 0 else { throw .resourceExhausted("file descriptors") }
        let descriptor = Descriptor(owning: copy)
        _ = evutil_make_socket_closeonexec(copy)
        return descriptor
    }
}

extension [InheritedSocket] {
    /// Those of an address that carry the same.
    func matching(_ address: SocketAddress, _ transport: SocketTransport) -> [InheritedSocket] {
        filter { $0.address == address && $0.transport == transport }
    }

    /// The sockets of one worker, if all of these are of one address. Each has one worker at least; where there are
    /// fewer than workers, and no others can be opened beside them, several workers have the same.
    ///
    /// - Returns: `[nil]`: the worker opens one of its own.
    func share(ofWorker worker: Int, of count: Int) -> [InheritedSocket?] {
        let own = indices.filter { $0 % count == worker }.map { self[$0] }
        if !own.isEmpty { return own }
        guard let first, !first.isShared else { return [nil] }
        return [self[worker % self.count]]
    }
}
