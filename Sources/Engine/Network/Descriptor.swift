import CEvent

/// Owns a file descriptor.
struct Descriptor: ~Copyable {
    let number: Int32

    /// - Parameter number: an open descriptor that nobody else closes.
    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        _ = close(number)
    }

    /// Gives up the descriptor without closing it.
    consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}

/// Whether a socket has received octets that nobody has read.
func hasUnreadOctets(_ socket: Int32) -> Bool {
    var octet: UInt8 = 0
    // Unsafe: writes one octet.
    return unsafe recv(socket, &octet, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0
}

/// A counter in the kernel that wakes the thread waiting for it (eventfd(2)).
final class WakeSignal: Sendable {
    private let descriptor: Descriptor

    /// - Parameter blocking: whether ``consume()`` waits, and takes one signal at a time.
    init(blocking: Bool) throws(EngineError) {
        let flags = Int32(EFD_CLOEXEC) | Int32(blocking ? EFD_SEMAPHORE : EFD_NONBLOCK)
        let number = eventfd(0, flags)
        guard number >= 0 else { throw .resourceExhausted("file descriptors") }
        descriptor = Descriptor(owning: number)
    }

    /// A descriptor for an event loop to watch.
    var descriptorNumber: Int32 { descriptor.number }

    /// Wakes the other side.
    func signal() {
        _ = eventfd_write(descriptor.number, 1)
    }

    /// Consumes what was signalled; waits for it if this blocks.
    func consume() {
        var value: eventfd_t = 0
        // Unsafe: writes eight octets to `value`.
        while unsafe eventfd_read(descriptor.number, &value) != 0, last_error() == EINTR {}
    }
}
