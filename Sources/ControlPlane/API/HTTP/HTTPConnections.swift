import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// Hummingbird's HTTP/1.1 connections, each handled on its event loop's thread, with a limit for peers that stop
/// reading.
struct HTTPConnections: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    /// How long a peer may leave what was sent to it unacknowledged or unread.
    private static let sendTimeoutMilliseconds: ChannelOptions.Types.SocketOption.Value = 30_000
    /// `TCP_USER_TIMEOUT` (linux/tcp.h): also counts while the peer's window is closed.
    private static let tcpUserTimeout = NIOBSDSocket.Option(rawValue: 18)

    private let http: HTTP1Channel
    private let executors: [ObjectIdentifier: EventLoopExecutor]
    private let open: OpenConnections

    /// - Parameters:
    ///   - group: where connections live; must never be shut down.
    ///   - idleTimeout: how long a connection may be without a request, or a request without its next part.
    ///   - open: is told of each connection.
    init(
        responder: @escaping HTTPChannelHandler.Responder,
        group: any EventLoopGroup,
        idleTimeout: TimeAmount,
        open: OpenConnections
    ) {
        let limits = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: 16 * 1024,
            maxHeaderListSize: 32 * 1024,
            maxHeaderFieldCount: 100
        )
        http = HTTP1Channel(
            responder: responder,
            configuration: .init(idleTimeout: idleTimeout, httpDecoderConfiguration: limits)
        )
        var executors: [ObjectIdentifier: EventLoopExecutor] = [:]
        for eventLoop in group.makeIterator() {
            executors[ObjectIdentifier(eventLoop)] = EventLoopExecutor(eventLoop)
        }
        self.executors = executors
        self.open = open
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.setOption(.tcpOption(Self.tcpUserTimeout), value: Self.sendTimeoutMilliseconds)
            .flatMap { http.setup(channel: channel, logger: logger) }
    }

    func handle(value: Value, logger: Logger) async {
        open.insert(value.channel)
        // Where its bytes arrive: a request costs no switch between threads then.
        await withTaskExecutorPreference(executors[ObjectIdentifier(value.channel.eventLoop)]) {
            await http.handle(value: value, logger: logger)
        }
        open.remove(value.channel)
    }
}

/// The connections that are open, to be closed when the server can't wait for them any longer.
final class OpenConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())

    fileprivate func insert(_ channel: any Channel) {
        let isClosed = state.withLock { state in
            state.channels[ObjectIdentifier(channel)] = channel
            return state.isClosed
        }
        if isClosed { channel.close(promise: nil) }
    }

    fileprivate func remove(_ channel: any Channel) {
        state.withLock { _ = $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    /// Closes all connections, and those that come later at once.
    func closeAll() {
        let channels = state.withLock { state in
            state.isClosed = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.close(promise: nil) }
    }
}
