import CEvent

/// A listening socket of a ``TCPService``.
@safe
final class TCPListener: EventTarget {
    /// How many connections are accepted in a row. Then the queries of earlier ones are read and answered, so that a
    /// rush of clients with one query each does not add up to a delay.
    private static let acceptsAtOnce = 16

    private let socket: Descriptor
    private unowned let service: TCPService
    private let loop: EventLoop
    private let isKept: Bool
    private var isListening = false

    /// - Parameter isKept: whether another process continues to use the socket.
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

    /// Resumes accepting.
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

    /// Accepts all waiting clients, at the end, unless another process continues to use the socket.
    func acceptAll() {
        if isKept { return }
        for _ in 0...ListeningSocket.backlog { guard acceptOne() else { return } }
    }

    /// - Returns: whether another client may be waiting.
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
            // accept(2): out of memory or descriptors. Otherwise the listener would fire again and again.
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                service.acceptFailed()
                return false
            // The client, or its network, has gone.
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
