/// An HTTP client over libcurl: one thread with one curl multi handle does all transfers. Connections are kept and
/// reused. No proxies, redirects, cookies or HTTP/2.
///
/// The answer's status is not judged: a 404 is a response. An error says whether the request may have been sent.
final class HTTPClient: Sendable {
    /// Paths of PEM files for https; they are read when a connection is made.
    struct TLS: Sendable, Equatable {
        /// Certificates of the authorities that verify servers; empty: the system's.
        var authorities = ""
        /// The client's certificate; empty: none.
        var certificate = ""
        /// The key of the client's certificate; empty: it is in the certificate's file.
        var key = ""
        /// Whether servers must show a certificate that is valid for their name.
        var verifies = true
    }

    /// How much the client does at once.
    struct Limits: Sendable {
        /// Transfers at the same time, each on a connection of its own; also the number of connections kept open.
        var maximumConnections = 64
        /// Transfers at the same time to one host and port. A stream counts for as long as it lasts.
        var maximumConnectionsPerHost = 32
        /// Requests that run or wait for a connection; more are refused.
        var maximumRequests = 4096
    }

    private let inbox: TransferInbox
    private let distrusted = DistrustedOrigins()
    private let thread: HTTPClientThread

    /// - Throws: if the system is out of threads, memory or file descriptors.
    init(tls: TLS = TLS(), limits: Limits = Limits()) throws(HTTPClientError) {
        let multi = try CurlMulti(maximumConnections: limits.maximumConnections)
        let inbox = TransferInbox(maximumRequests: limits.maximumRequests, multi: multi)
        thread = try HTTPClientThread { [distrusted] in
            // Made on the thread that uses it.
            TransferLoop(multi: multi, inbox: inbox, distrusted: distrusted, tls: tls, limits: limits).run()
        }
        self.inbox = inbox
    }

    deinit {
        shutdown()
    }

    /// Sends a request and collects the response.
    ///
    /// - Throws: also `cancelled`, if the task is cancelled or after ``shutdown()``.
    nonisolated(nonsending) func send(
        _ request: HTTPClientRequest
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        try await run(Transfer(request))
    }

    /// Sends a request and passes on the body of a 2xx response as it comes; returns when the body has ended. The body
    /// of another response is collected, as in ``send(_:)``.
    ///
    /// The closures are called on the client's thread. They must not wait, since they hold up all other transfers.
    ///
    /// - Parameters:
    ///   - onResponse: called once, with the status.
    ///   - onOctets: called with each piece of at most 16 KiB; `false` ends the stream without an error.
    /// - Returns: the status, and a body unless the status is 2xx.
    nonisolated(nonsending) func stream(
        _ request: HTTPClientRequest,
        onResponse: @escaping @Sendable (_ status: Int) -> Void = { _ in },
        onOctets: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        try await run(Transfer(request, stream: ResponseStream(onResponse: onResponse, onOctets: onOctets)))
    }

    /// Makes the next requests to a URL's origin use only connections made from now on. The client does so by itself if
    /// a request that was sent is not answered in time.
    func distrustConnections(to url: String) {
        distrusted.insert(HTTPClientRequest(url: url).origin)
    }

    /// Ends all transfers with `cancelled`, closes all connections and waits for the thread, unless called on that
    /// thread.
    func shutdown() {
        inbox.close()
        thread.join()
    }

    private nonisolated(nonsending) func run(_ transfer: Transfer) async throws(HTTPClientError) -> HTTPClientResponse {
        if let reason = transfer.request.problem {
            throw HTTPClientError(kind: .invalidRequest, reason: reason, mayHaveBeenSent: false)
        }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.begin(continuation)
                if let error = inbox.append(transfer) { transfer.finish(.failure(error)) }
            }
        } onCancel: {
            inbox.cancel(transfer)
        }
        return try result.get()
    }
}
