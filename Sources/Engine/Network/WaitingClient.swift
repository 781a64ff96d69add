/// A client that waits for an upstream's answer.
struct WaitingClient {
    /// The way back to it.
    enum Route {
        case udp(ReplyQueue, DatagramOrigin)
        case tcp(WeakConnection)
    }

    var frame: ReplyFrame
    /// The header and question as they arrived.
    var query: [UInt8]
    var route: Route
    /// What is noted of it once it is answered.
    var sample: QuerySample?

    /// The client's address; `nil`: its connection is closed.
    var address: IPAddress? {
        switch route {
        case .udp(_, let origin): origin.client
        case .tcp(let target): target.connection?.client
        }
    }
}

/// A TCP connection that may be closed by the time its answer comes.
struct WeakConnection {
    weak var connection: TCPConnection?
}
