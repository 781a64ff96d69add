import NIOCore

/// Answers requests: no sockets, no HTTP framing.
protocol RequestHandler: Sendable {
    var time: TimeSource { get }

    /// Finds where a request leads to, by its head alone.
    func resolve(_ head: RequestHead) -> Result<ResolvedRequest, ResponseError>
}

/// A request that was found to lead somewhere.
struct ResolvedRequest: Sendable {
    /// The largest body that is read, in octets; `nil`: the body does not matter.
    let bodyLimit: Int?
    /// Answers it. The body is the whole one, or empty when it does not matter.
    let respond: @Sendable (_ body: ByteBuffer) async -> ServerResponse
}

/// An answer that ends the handling of a request early.
struct ResponseError: Error, Sendable {
    let response: ServerResponse

    init(_ response: ServerResponse) {
        self.response = response
    }
}
