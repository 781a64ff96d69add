import NIOCore

/// Answers requests, without sockets or HTTP framing.
protocol RequestHandler: Sendable {
    var time: TimeSource { get }
    /// Counts what is answered, by the place of the endpoint.
    var counters: HTTPCounters { get }

    /// Finds the endpoint of a request by its head only.
    func resolve(_ head: RequestHead) -> Result<ResolvedRequest, ResponseError>
}

/// A request whose endpoint was found.
struct ResolvedRequest: Sendable {
    /// The largest body that is read, in octets; `nil`: the body does not matter.
    let bodyLimit: Int?
    /// Its endpoint's place among all.
    var endpoint: Int?
    /// Whether the client has asked to wait for something: how long that takes says nothing of the server.
    var mayWait = false
    /// Begins to take in the body as it comes, instead of ``respond``; `nil`: the body is read as a whole.
    var receive: (@Sendable () async -> Result<any BodyReceiver, ResponseError>)?
    /// Answers the request. The body is complete, or empty if it does not matter.
    let respond: @Sendable (_ body: ByteBuffer) async -> ServerResponse
}

/// Takes in a body that may be longer than what fits into memory, while it comes.
///
/// Its functions are called one after the other. If the client goes before the end, it is only dropped.
protocol BodyReceiver: Sendable {
    /// Takes the next octets. The sender waits until this returns.
    ///
    /// - Returns: the answer, if no more are wanted.
    func take(_ octets: ByteBuffer) async -> ServerResponse?

    /// Is called when the body is complete.
    ///
    /// - Returns: the answer.
    func finish() async -> ServerResponse
}

/// An answer that ends the handling of a request early.
struct ResponseError: Error, Sendable {
    let response: ServerResponse
    /// The place of the request's endpoint among all; `nil`: it is for none.
    let endpoint: Int?

    init(_ response: ServerResponse, endpoint: Int? = nil) {
        self.response = response
        self.endpoint = endpoint
    }
}
