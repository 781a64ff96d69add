import Engine
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// The REST API's connections. Each is handled on its event loop's thread, within limits of number, time and memory.
struct HTTPConnections: ServerChildChannel {
    /// A connection whose channel is set up.
    struct Value: ServerChildChannelValue {
        let stream: NIOAsyncChannel<RequestPart, ResponsePart>
        /// Whether it speaks TLS.
        let isSecure: Bool
        var channel: any Channel { stream.channel }
    }

    /// How long a peer may leave sent octets unacknowledged or unread.
    private static let sendTimeoutMilliseconds: ChannelOptions.Types.SocketOption.Value = 30_000
    /// `TCP_USER_TIMEOUT` (linux/tcp.h), which also counts while the peer's window is closed.
    private static let tcpUserTimeout = NIOBSDSocket.Option(rawValue: 18)
    /// How long a client has to read the last answer before its connection is closed.
    private static let closeTimeout = TimeAmount.seconds(2)
    /// The most octets read from a connection at once, which bounds the pipelined requests in memory.
    private static let maximumReadOctets = 16 * 1024

    private let responder: HTTPResponder
    private let listener: SecureListener?
    private let idleTimeout: TimeAmount
    private let executors: [ObjectIdentifier: EventLoopExecutor]
    private let open: OpenConnections

    /// - Parameters:
    ///   - group: the event loops of the connections; must never be shut down.
    ///   - idleTimeout: how long a connection may have no request, or a request no next part.
    ///   - open: is told of each connection.
    ///   - listener: makes connections speak TLS; `nil`: none does.
    init(
        responder: HTTPResponder, group: any EventLoopGroup, idleTimeout: TimeAmount, open: OpenConnections,
        listener: SecureListener?
    ) {
        self.responder = responder
        self.listener = listener
        self.idleTimeout = idleTimeout
        var executors: [ObjectIdentifier: EventLoopExecutor] = [:]
        for eventLoop in group.makeIterator() {
            executors[ObjectIdentifier(eventLoop)] = EventLoopExecutor(eventLoop)
        }
        self.executors = executors
        self.open = open
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let client = channel.remoteAddress.flatMap { IPAddress(peer: $0) }
        let identity = listener?.identity
        guard let id = open.insert(channel, from: client, isSecure: identity != nil) else {
            return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        return channel.eventLoop.makeCompletedFuture {
            // If the connection is closed before it becomes active, nothing else would remove it.
            channel.closeFuture.whenComplete { _ in open.remove(id) }
            let options = channel.syncOptions
            try options?.setOption(.tcpOption(Self.tcpUserTimeout), value: Self.sendTimeoutMilliseconds)
            try options?.setOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: Self.maximumReadOctets))
            try options?.setOption(.maxMessagesPerRead, value: 2)
            let session = try identity.flatMap { try listener?.secure(channel, by: $0, client: client) }
            let decoder = RequestDecoder()
            let handlers: [any ChannelHandler] = [
                HTTPResponseEncoder(),
                ByteToMessageHandler(decoder, maximumBufferSize: RequestDecoder.maximumBufferedOctets),
                ConnectionHandler(
                    id: id, client: client, session: session, open: open, decoder: decoder,
                    time: responder.handler.time, idleTimeout: idleTimeout),
            ]
            try channel.pipeline.syncOperations.addHandlers(handlers)
            if open.isQuiescing { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
            return Value(
                stream: try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(isOutboundHalfClosureEnabled: true)
                ),
                isSecure: session != nil
            )
        }
    }

    func handle(value: Value, logger: Logger) async {
        // Run the task where the connection's bytes arrive: then a request needs no switch between threads.
        await withTaskExecutorPreference(executors[ObjectIdentifier(value.channel.eventLoop)]) {
            do {
                try await withTaskCancellationHandler {
                    try await value.stream.executeThenClose { inbound, outbound in
                        let writer = ResponseWriter(
                            channel: value.channel, outbound: outbound, isSecure: value.isSecure)
                        var parts = inbound.makeAsyncIterator()
                        try await answer(&parts, writer)
                        // Leave the client time to read the last answer: closing at once could destroy it on its way.
                        outbound.finish()
                        let closing = value.channel.eventLoop.scheduleTask(in: Self.closeTimeout) {
                            value.channel.close(promise: nil)
                        }
                        defer { closing.cancel() }
                        try await value.channel.closeFuture.get()
                    }
                } onCancel: {
                    value.channel.close(mode: .input, promise: nil)
                }
            } catch {
                logger.trace("a connection ended", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Answers requests until the connection may have no more.
    private func answer(_ parts: inout RequestParts, _ writer: ResponseWriter) async throws {
        while true {
            let part: RequestPart?
            do {
                part = try await parts.next()
            } catch let error where RequestDecoder.isRefusal(error) {
                if error is RequestDecoder.SecureHello {
                    listener?.noteSecureHello(client: writer.channel.remoteAddress.flatMap { IPAddress(peer: $0) })
                }
                return try await responder.respond(to: error, writer)
            }
            guard case .head(let head) = part else { return }
            guard try await responder.respond(to: head, &parts, writer) else { return }
        }
    }
}

extension IPAddress {
    /// The address of the other end; an IPv4-mapped address becomes the IPv4 address.
    fileprivate init?(peer: NIOCore.SocketAddress) {
        guard let text = peer.ipAddress, let address = IPAddress(text.prefix { $0 != "%" }) else { return nil }
        self = address.unmapped
    }
}
