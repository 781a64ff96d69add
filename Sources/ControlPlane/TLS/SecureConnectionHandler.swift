import Engine
import NIOCore
import NIOSSL
import NIOTLS

/// The handler between TLS and HTTP. It notes who the client is, logs why handshakes fail, and makes ends of TLS look
/// like ends of a plain connection.
final class SecureConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// `TCP_QUICKACK` (linux/tcp.h): acknowledges what has come at once.
    private static let quickAcknowledgement = NIOBSDSocket.Option(rawValue: 12)

    private let session: SecureSession
    private let tls: NIOSSLServerHandler
    private let client: IPAddress?
    private let log: HandshakeLog

    init(_ session: SecureSession, _ tls: NIOSSLServerHandler, client: IPAddress?, log: HandshakeLog) {
        self.session = session
        self.tls = tls
        self.client = client
        self.log = log
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        // BoringSSL sends nothing more until it answers, but many clients send no request before the end of their
        // handshake is acknowledged (Nagle's algorithm, RFC 9293 §3.7.4): the kernel would take 40 ms for that.
        try? context.channel.syncOptions?.setOption(.tcpOption(Self.quickAcknowledgement), value: 1)
        guard let certificate = tls.peerCertificate else {
            session.isEstablished = true
            return
        }
        let summary = CertificateSummary(certificate)
        // A resumed session is not verified anew, and may be older than the end of its certificate.
        guard !summary.isOver(at: .now) else {
            session.hasFailed = true
            log.note(.certificate(reason: "\(summary.subject.shortened) has expired"), client: client)
            return close(context: context, mode: .all, promise: nil)
        }
        session.isEstablished = true
        session.subject = summary.subject.isEmpty ? nil : summary.subject
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A client that was refused may have sent a request already.
        if session.isEstablished { context.fireChannelRead(data) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is NIOSSLError || error is BoringSSLError || error is NIOSSLCloseTimedOutError else {
            return context.fireErrorCaught(error)
        }
        // The TLS handler closes the connection after each of these but one: the client's end without notice. That is
        // no danger to HTTP, whose messages tell their length (RFC 9112 §9.8).
        if session.isEstablished {
            if error as? NIOSSLError != .uncleanShutdown { log.noteEnd(error, client: client) }
        } else if !session.hasFailed {
            let failure = HandshakeFailure(error, presented: tls.peerCertificate)
            session.hasFailed = failure != .ended
            log.note(failure, client: client)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // There is nobody to say farewell to before the handshake, and TLS can't close its input alone.
        switch mode {
        case .input: context.triggerUserOutboundEvent(CloseAtOnce(), promise: promise)
        case _ where !session.isEstablished: context.triggerUserOutboundEvent(CloseAtOnce(), promise: promise)
        case .all:
            session.isClosing = true
            context.close(mode: .all, promise: promise)
        case .output: context.close(mode: .output, promise: promise)
        }
    }
}
