import CEvent

/// A listening socket of a ``TCPService``.
@safe
final class TCPListener: EventTarget {
    /// Connections accepted at a stretch: those before have their queries read and answered meanwhile, so that a rush
    /// of clients that ask one thing each does not add up.
    private static let acceptsAtOnce = 16

    private let socket: Descriptor
    private unowned let service: TCPService
    private let loop: EventLoop
    private let isKept: Bool
    private var isListening = false

    /// - Parameter isKept: whether somebody else goes on with the socket.
    init(socket: consuming Descriptor, service: TCPService, loop: EventLoop, isKept: Bool) throws(EngineError) {
        self.socket = socket
        self.service = service
        self.loop = loop
        self.isKept = isKept
        super.init()
        try resume()
    }

    deinit {
        // Before the socket is closed.
        cancel()
    }

    /// Goes on accepting.
    func resume() throws(EngineError) {
        guard !isListening else { return }
        try watch(socket.number, on: loop)
        isListening = true
    }

    /// Leaves clients in the kernel's queue.
    func suspend() {
        isListening = false
        cancel()
    }

    override func fire() {
        for _ in 0..<Self.acceptsAtOnce where isListening {
            guard acceptOne() else { return }
        }
    }

    /// Accepts everybody who is there, at the end, unless somebody else goes on with the socket.
    func acceptAll() {
        if isKept { return }
        for _ in 0...ListeningSocket.backlog { guard acceptOne() else { return } }
    }

    /// - Returns: whether there may be another client.
    private func acceptOne() -> Bool {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        // Unsafe: the kernel writes at most `length` octets.
        let accepted = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            unsafe accept4(
                socket.number, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length, flags)
        }
        guard accepted >= 0 else {
            switch last_error() {
            case EAGAIN: return false
            // accept(2): no memory, no descriptor. The listener would tell that there is somebody again and again.
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                service.acceptFailed()
                return false
            // The client has gone, or its network.
            default: return true
            }
        }
        guard let client = SocketAddress(storage) else {
            _ = close(accepted)
            return true
        }
        service.accepted(accepted, from: client.address)
        return true
    }
}
