import Engine
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The HTTP server: it listens, answers, and ends gracefully.
struct HTTPService: Service {
    /// How many connections may be accepted beyond the limit: they are about to be closed.
    private static let acceptedBeyondLimit = 64
    /// How many connections may wait to be accepted.
    private static let backlog: Int32 = 1024
    /// How long requests under way may take to end when the server stops.
    private static let shutdownGrace = TimeAmount.milliseconds(1500)

    private let host: String
    private let port: Int
    private let socket: InheritedSocket?
    private let group: MultiThreadedEventLoopGroup
    private let connections: OpenConnections
    private let channels: HTTPConnections
    private let maximumAccepted: Int
    private let logger: Logger
    private let onListening: @Sendable (_ port: Int) -> Void

    /// Prepares the server.
    ///
    /// - Parameters:
    ///   - port: 0 lets the system choose one.
    ///   - socket: is used instead of opening one, and stays open for the process that takes over.
    ///   - maximumConnections: connections at once; at the limit the one idle longest gives way.
    ///   - maximumPerClient: connections of one client address at once.
    ///   - idleTimeout: how long a connection may have no request, or a request no next part.
    ///   - listener: makes connections speak TLS; `nil`: none does.
    ///   - onListening: is called with the port when connections are accepted.
    init(
        address: IPAddress,
        port: UInt16,
        socket: InheritedSocket? = nil,
        maximumConnections: Int = 4096,
        maximumPerClient: Int = 256,
        idleTimeout: Duration = .seconds(60),
        responder: HTTPResponder,
        listener: SecureListener? = nil,
        logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) -> Void
    ) throws {
        host = address.description
        self.port = Int(port)
        self.socket = socket
        // The process's own loops, which are never shut down.
        group = MultiThreadedEventLoopGroup.singleton
        connections = OpenConnections(
            maximum: maximumConnections, maximumPerClient: maximumPerClient, counters: responder.handler.counters,
            logger: logger)
        self.logger = logger.quiet
        channels = HTTPConnections(
            responder: responder, group: group, idleTimeout: TimeAmount(idleTimeout), open: connections,
            listener: listener)
        // Another thread closes the connections that give way, so a few more may be open for a moment.
        maximumAccepted = maximumConnections + Self.acceptedBeyondLimit
        self.onListening = onListening
    }

    func run() async throws {
        let (connected, admission) = AsyncStream.makeStream(of: HTTPConnections.Value.self)
        let listener = try await listen(admission)
        onListening(listener.localAddress?.port ?? 0)
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { tasks in
                for await connection in connected {
                    tasks.addTask { await channels.handle(value: connection, logger: logger) }
                }
                // Close it here too, in case another service has failed and this task was cancelled.
                listener.close(promise: nil)
            }
        } onGracefulShutdown: {
            listener.close(promise: nil)
            connections.quiesce()
            // A client that never ends its request must not delay the stop.
            group.next().scheduleTask(in: Self.shutdownGrace) { connections.closeAll() }
        }
    }

    /// Listens, and has every accepted connection handled.
    private func listen(_ admission: AsyncStream<HTTPConnections.Value>.Continuation) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [maximumAccepted] channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = AvailableConnectionsChannelHandler(maxConnections: maximumAccepted)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { [channels, logger] channel in
                channels.setup(channel: channel, logger: logger).map { connection in
                    guard case .terminated = admission.yield(connection) else { return }
                    // The connection was accepted just before the listener was closed.
                    Task { await channels.handle(value: connection, logger: logger) }
                }
            }
        do {
            let bound =
                if let socket { bootstrap.withBoundSocket(try socket.duplicateNumber()) } else {
                    bootstrap.bind(host: host, port: port)
                }
            let listener = try await bound.get()
            listener.closeFuture.whenComplete { _ in admission.finish() }
            return listener
        } catch let error as IOError {
            let reason = FileReason.words(code: error.errnoCode)
            let shownHost = host.contains(":") ? "[\(host)]" : host
            throw StartError("server.listen: cannot listen on \(shownHost):\(port): \(reason)")
        }
    }
}
