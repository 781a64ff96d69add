/// Replies of one UDP socket that clients had to wait for. They are sent together, with one system call, once the loop
/// has handled everything that has come in: for upstreams answer many queries at a time.
final class ReplyQueue: EventTarget {
    /// Replies sent at once: more save little, and keep the loop from what comes in.
    static let capacity = 64

    private let socket: Int32
    private let loop: EventLoop
    private let counters: WorkerCounters
    private let buffers: DatagramBuffers
    private var count = 0

    /// - Parameters:
    ///   - replyBytes: the longest reply.
    ///   - socket: stays open for as long as this object is used.
    init(replyBytes: Int, socket: Int32, loop: EventLoop, counters: WorkerCounters) {
        self.socket = socket
        self.loop = loop
        self.counters = counters
        buffers = DatagramBuffers(capacity: Self.capacity, octets: replyBytes, hasAddresses: true)
    }

    /// Has a reply sent.
    ///
    /// - Parameter write: writes it; the span has room for the longest reply.
    @inline(__always)
    func add(to origin: DatagramOrigin, _ write: (inout OutputRawSpan) -> Void) {
        if count == Self.capacity { send() }
        if count == 0 { activate(on: loop) }
        buffers.write(count, to: origin, write)
        count &+= 1
    }

    /// Sends what there is.
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
