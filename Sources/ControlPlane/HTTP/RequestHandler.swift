import NIOCore

/// Answers requests, without sockets or HTTP framing.
protocol RequestHandler: Sendable {
    var time: TimeSource { get }

    /// Finds the endpoint of a request by its head only.
    func resolve(_ head: RequestHead) -> Result<ResolvedRequest, ResponseError>
}

/// A request whose endpoint was found.
struct ResolvedRequest: Sendable {
    /// The largest body that is read, in octets; `nil`: the body does not matter.
    let bodyLimit: Int?
    /// Answers the request. The body is complete, or empty if it does not matter.
    let respond: @Sendable (_ body: ByteBuffer) async -> ServerResponse
}

/// An answer that ends the handling of a request early.
struct ResponseError: Error, Sendable {
    let response: ServerResponse

    init(_ response: ServerResponse) {
        self.response = response
    }
}
