import NIOCore
import NIOPosix
import NIOSSL

/// Just enough of an HTTP client to send what a real one would not.
struct TestHTTPClient {
    /// Whether clients speak TLS.
    @TaskLocal static var speaksTLS = false

    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var received = ByteBuffer()

    private init(
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    ) {
        self.outbound = outbound
        self.iterator = iterator
    }

    /// Connects, lets `body` talk, and closes.
    static func connected<Result: Sendable>(
        to port: Int,
        _ body: (inout TestHTTPClient) async throws -> Result
    ) async throws -> Result {
        let isSecure = speaksTLS
        var settings = TLSConfiguration.makeClientConfiguration()
        // It is the server that is looked at.
        settings.certificateVerification = .none
        settings.shutdownTimeout = .milliseconds(100)
        let context = try NIOSSLContext(configuration: settings)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if isSecure {
                        let handler = try NIOSSLClientHandler(context: context, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var client = TestHTTPClient(outbound: outbound, iterator: inbound.makeAsyncIterator())
            return try await body(&client)
        }
    }

    /// A response's head and body.
    struct Response: Sendable {
        var status: Int
        var head: String
        var body: String
    }

    func send(_ text: String) async throws {
        try await outbound.write(ByteBuffer(string: text))
    }

    func send(_ bytes: ByteBuffer) async throws {
        try await outbound.write(bytes)
    }

    /// Reads one response by its Content-Length; `nil` if the server closes the connection first.
    mutating func receive(hasBody: Bool = true) async throws -> Response? {
        let end = "\r\n\r\n"
        while true {
            let text = String(buffer: received)
            if let range = text.firstRange(of: end) {
                let head = String(text[..<range.lowerBound])
                let length =
                    head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
                    .flatMap { Int($0.dropFirst(15).filter { $0 != " " }) } ?? 0
                let headLength = text[..<range.upperBound].utf8.count
                if received.readableBytes >= headLength + (hasBody ? length : 0) {
                    received.moveReaderIndex(forwardBy: headLength)
                    let body = received.readString(length: hasBody ? length : 0) ?? ""
                    return Response(status: Int(head.dropFirst(9).prefix(3)) ?? 0, head: head, body: body)
                }
            }
            let part: ByteBuffer?
            do {
                part = try await iterator.next()
            } catch NIOSSLError.uncleanShutdown {
                // The server has closed the connection at once.
                return nil
            }
            guard var part else { return nil }
            received.writeBuffer(&part)
        }
    }
}
