/// A client that waits for an upstream.
struct WaitingClient {
    /// The way back to it.
    enum Route {
        case udp(ReplyQueue, DatagramOrigin)
        case tcp(WeakConnection)
    }

    var frame: ReplyFrame
    /// Header and question as they came.
    var query: [UInt8]
    var route: Route
}

/// A TCP client that may be gone when its answer comes.
struct WeakConnection {
    weak var connection: TCPConnection?
}
