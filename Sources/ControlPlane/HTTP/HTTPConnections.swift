import Engine
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// The REST API's connections, each handled on its event loop's thread, within limits of number, time and memory.
struct HTTPConnections: ServerChildChannel {
    /// A connection whose channel is set up.
    struct Value: ServerChildChannelValue {
        let stream: NIOAsyncChannel<RequestPart, ResponsePart>
        var channel: any Channel { stream.channel }
    }

    /// How long a peer may leave what was sent to it unacknowledged or unread.
    private static let sendTimeoutMilliseconds: ChannelOptions.Types.SocketOption.Value = 30_000
    /// `TCP_USER_TIMEOUT` (linux/tcp.h): also counts while the peer's window is closed.
    private static let tcpUserTimeout = NIOBSDSocket.Option(rawValue: 18)
    /// How long a client has to read the last answer before its connection is closed.
    private static let closeTimeout = TimeAmount.seconds(2)
    /// Octets read from a connection at once: they bound how many pipelined requests are in memory.
    private static let maximumReadOctets = 16 * 1024

    private let responder: HTTPResponder
    private let idleTimeout: TimeAmount
    private let executors: [ObjectIdentifier: EventLoopExecutor]
    private let open: OpenConnections

    /// - Parameters:
    ///   - group: where connections live; must never be shut down.
    ///   - idleTimeout: how long a connection may be without a request, or a request without its next part.
    ///   - open: is told of each connection.
    init(
        responder: HTTPResponder, group: any EventLoopGroup, idleTimeout: TimeAmount, open: OpenConnections
    ) {
        self.responder = responder
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
        guard let id = open.insert(channel, from: client) else {
            return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        return channel.eventLoop.makeCompletedFuture {
            // What is not admitted any longer never becomes active, so nothing else would forget it.
            channel.closeFuture.whenComplete { _ in open.remove(id) }
            let options = channel.syncOptions
            try options?.setOption(.tcpOption(Self.tcpUserTimeout), value: Self.sendTimeoutMilliseconds)
            try options?.setOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: Self.maximumReadOctets))
            try options?.setOption(.maxMessagesPerRead, value: 2)
            let decoder = RequestDecoder()
            let handlers: [any ChannelHandler] = [
                HTTPResponseEncoder(),
                ByteToMessageHandler(decoder, maximumBufferSize: RequestDecoder.maximumBufferedOctets),
                ConnectionHandler(
                    id: id, client: client, open: open, decoder: decoder, time: responder.handler.time,
                    idleTimeout: idleTimeout),
            ]
            try channel.pipeline.syncOperations.addHandlers(handlers)
            if open.isQuiescing { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
            return Value(
                stream: try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(isOutboundHalfClosureEnabled: true)
                )
            )
        }
    }

    func handle(value: Value, logger: Logger) async {
        // Where its bytes arrive: a request costs no switch between threads then.
        await withTaskExecutorPreference(executors[ObjectIdentifier(value.channel.eventLoop)]) {
            do {
                try await withTaskCancellationHandler {
                    try await value.stream.executeThenClose { inbound, outbound in
                        let writer = ResponseWriter(channel: value.channel, outbound: outbound)
                        var parts = inbound.makeAsyncIterator()
                        try await answer(&parts, writer)
                        // The client gets to read the last answer: closing at once could destroy it on its way.
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

    /// Answers requests until the last one that the connection may have.
    private func answer(_ parts: inout RequestParts, _ writer: ResponseWriter) async throws {
        while true {
            let part: RequestPart?
            do {
                part = try await parts.next()
            } catch let error where RequestDecoder.isRefusal(error) {
                return try await responder.respond(to: error, writer)
            }
            guard case .head(let head) = part else { return }
            guard try await responder.respond(to: head, &parts, writer) else { return }
        }
    }
}

extension IPAddress {
    /// The address of the other end; one that came over a socket for both families in its own.
    fileprivate init?(peer: NIOCore.SocketAddress) {
        guard let text = peer.ipAddress, let address = IPAddress(text.prefix { $0 != "%" }) else { return nil }
        self = address.unmapped
    }
}
