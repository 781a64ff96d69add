import Engine
import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The HTTP server: listens, answers, and ends gracefully.
struct HTTPService: Service {
    /// Connections beyond the limit that were accepted and are about to be closed.
    private static let acceptedBeyondLimit = 64
    /// How long requests under way have to end when the server stops.
    private static let shutdownGrace = TimeAmount.milliseconds(1500)

    private let host: String
    private let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let connections: OpenConnections
    private let server: any Service

    /// Prepares the server.
    ///
    /// - Parameters:
    ///   - port: 0 lets the system choose one.
    ///   - maximumConnections: connections at once; at the limit the one idle longest gives way.
    ///   - maximumPerClient: connections of one client address at once.
    ///   - idleTimeout: how long a connection may be without a request, or a request without its next part.
    ///   - onListening: is called with the port when connections are accepted.
    init(
        address: IPAddress,
        port: UInt16,
        maximumConnections: Int = 4096,
        maximumPerClient: Int = 256,
        idleTimeout: Duration = .seconds(60),
        responder: HTTPResponder,
        logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) -> Void
    ) throws {
        host = address.description
        self.port = Int(port)
        // The process's own loops, which are never shut down.
        group = MultiThreadedEventLoopGroup.singleton
        connections = OpenConnections(
            maximum: maximumConnections, maximumPerClient: maximumPerClient, logger: logger)
        let logger = logger.quiet
        let channel = HTTPConnections(
            responder: responder, group: group, idleTimeout: TimeAmount(idleTimeout), open: connections)
        // Who must give way is closed by another thread: so many may be open for a moment, and no more.
        let accepted = maximumConnections + Self.acceptedBeyondLimit
        server = channel.server(
            configuration: ServerConfiguration(
                address: .hostname(host, port: self.port),
                backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(accepted, logger: logger)
            ),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) },
            eventLoopGroup: group,
            logger: logger
        )
    }

    func run() async throws {
        do {
            try await withGracefulShutdownHandler {
                try await server.run()
            } onGracefulShutdown: {
                // Hummingbird waits for requests under way; a client that never ends its request must not hold us.
                group.next().scheduleTask(in: Self.shutdownGrace) { connections.closeAll() }
            }
        } catch let error as IOError {
            // Unsafe: strerror returns a C string that is valid until the thread's next call.
            let reason = unsafe String(cString: strerror(error.errnoCode))
            let shownHost = host.contains(":") ? "[\(host)]" : host
            throw StartError("server.listen: cannot listen on \(shownHost):\(port): \(reason)")
        }
    }
}
