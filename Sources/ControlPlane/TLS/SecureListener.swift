import Engine
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// Decides whether new connections speak TLS, and with which certificate. A change concerns later connections only.
final class SecureListener: Sendable {
    private let current: Mutex<ServerIdentity?>
    private let log: HandshakeLog
    private let handshakeTimeout: TimeAmount

    /// - Parameters:
    ///   - identity: `nil`: connections speak HTTP without TLS.
    ///   - handshakeTimeout: how long a client has for the handshake.
    init(_ identity: ServerIdentity?, handshakeTimeout: Duration = .seconds(10), logger: Logger) {
        current = Mutex(identity)
        log = HandshakeLog(logger: logger)
        self.handshakeTimeout = TimeAmount(handshakeTimeout)
    }

    /// What new connections are offered; `nil`: no TLS.
    var identity: ServerIdentity? { current.withLock { $0 } }

    /// How many connections had no session since the start, by why.
    var handshakeFailures: [HandshakeFailure.Kind: UInt64] { log.counts }

    /// Has new connections offered this.
    func adopt(_ identity: ServerIdentity?) {
        current.withLock { $0 = identity }
    }

    /// Makes a new connection speak TLS; must be called on its event loop, before other handlers are added.
    func secure(_ channel: any Channel, by identity: ServerIdentity, client: IPAddress?) throws -> SecureSession {
        let session = SecureSession()
        let handler = NIOSSLServerHandler(context: identity.context)
        let handlers: [any ChannelHandler] = [
            HandshakeGuard(session, client: client, timeout: handshakeTimeout, log: log),
            handler,
            SecureConnectionHandler(session, handler, client: client, log: log),
        ]
        try channel.pipeline.syncOperations.addHandlers(handlers)
        return session
    }

    /// Notes that a client speaks TLS on a connection that does not.
    func noteSecureHello(client: IPAddress?) {
        log.note(.secureHello, client: client)
    }
}

/// The TLS session of a connection. It is used on the connection's event loop only.
final class SecureSession {
    /// Whether the handshake is over, and the client may send requests.
    var isEstablished = false
    /// The subject of the client's certificate, once that is verified.
    var subject: String?
    /// Whether the client is to be told by an alert why its handshake has failed.
    var hasFailed = false
    /// Whether the server has begun to close the connection.
    var isClosing = false
}

/// Closes a connection without waiting for the client to agree: sent down the pipeline of one that speaks TLS.
struct CloseAtOnce: Sendable {}
