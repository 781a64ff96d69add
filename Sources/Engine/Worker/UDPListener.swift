/// A UDP socket of a worker.
final class UDPListener: EventTarget {
    let batch: UDPBatch
    /// Sends the replies that clients had to wait for.
    let replies: ReplyQueue
    private let socket: Descriptor
    private let address: SocketAddress
    private let isKept: Bool
    private var priority = EventTarget.Priority.other
    /// Whether there are more queries after a short batch.
    var secondLook = Trial()
    // Unsafe: the worker owns its listeners and outlives them. No reference is counted, since this runs for every
    // batch.
    private unowned(unsafe) let worker: Worker

    /// - Parameters:
    ///   - address: the address that the socket is bound to.
    ///   - isKept: whether another process continues to use the socket.
    init(
        socket: consuming Descriptor, address: SocketAddress, batch: UDPBatch, replies: ReplyQueue, worker: Worker,
        isKept: Bool
    ) {
        self.socket = socket
        self.address = address
        self.isKept = isKept
        self.batch = batch
        self.replies = replies
        unsafe self.worker = worker
    }

    var socketNumber: Int32 { socket.number }

    /// Receives only what has come already, unless another process continues to use the socket.
    func refuse() {
        if isKept { return }
        ListeningSocket.refuse(socket.number, address)
    }

    /// The worker drops it only after its loop has ended.
    override var outlivesLoop: Bool { true }

    override func fire() {
        let next = unsafe worker.turn(of: self, on: socket.number)
        guard next != priority else { return }
        priority = next
        set(next)
    }
}
