/// The replies of one UDP socket that clients had to wait for. They are sent together, with one system call, once the
/// loop has handled everything that has arrived, because upstreams answer many queries at a time.
final class ReplyQueue: EventTarget {
    /// How many replies are sent at once: more would save little, and delay the handling of what arrives.
    static let capacity = 64

    private let socket: Int32
    private let loop: EventLoop
    private let counters: WorkerCounters
    private let buffers: DatagramBuffers
    private var count = 0

    /// - Parameters:
    ///   - replyBytes: the length of the longest reply.
    ///   - socket: must stay open as long as this object is used.
    init(replyBytes: Int, socket: Int32, loop: EventLoop, counters: WorkerCounters) {
        self.socket = socket
        self.loop = loop
        self.counters = counters
        buffers = DatagramBuffers(capacity: Self.capacity, octets: replyBytes, hasAddresses: true)
    }

    /// Queues a reply.
    ///
    /// - Parameter write: writes it; the span has room for the longest reply.
    @inline(__always)
    func add(to origin: DatagramOrigin, _ write: (inout OutputRawSpan) -> Void) {
        if count == Self.capacity { send() }
        if count == 0 { activate(on: loop) }
        buffers.write(count, to: origin, write)
        count &+= 1
    }

    /// Sends the queued replies.
    func send() {
        buffers.send(0..<count, by: socket) { _ in counters.count(.sendErrors) }
        count = 0
    }

    override func fire() {
        loop.noteWork()
        send()
        loop.pace.noteEnd(.now)
    }
}
