import Engine
import NIOCore

/// The handler between the socket and TLS. It limits the time of the handshake, answers clients that speak HTTP without
/// TLS, and closes connections: at once, or so that the client gets to read an alert.
final class HandshakeGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a client has to read why it is refused. What it still sends would destroy the answer on its way if the
    /// connection were closed at once.
    private static let lingerTimeout = TimeAmount.seconds(1)
    /// The content type of handshake messages, with which every TLS connection begins (RFC 8446 §5.1).
    private static let handshakeRecord: UInt8 = 22

    private let session: SecureSession
    private let client: IPAddress?
    private let timeout: TimeAmount
    private let log: HandshakeLog
    private var deadline: Scheduled<Void>?
    private var hasRead = false
    private var isLingering = false

    init(_ session: SecureSession, client: IPAddress?, timeout: TimeAmount, log: HandshakeLog) {
        self.session = session
        self.client = client
        self.timeout = timeout
        self.log = log
    }

    func handlerAdded(context: ChannelHandlerContext) {
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [self] in
            if session.isEstablished || isLingering { return }
            session.hasFailed = true
            log.note(.timeout, client: client)
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isLingering { return }
        if !hasRead {
            hasRead = true
            let octets = Self.unwrapInboundIn(data)
            if let first = octets.getInteger(at: octets.readerIndex, as: UInt8.self), first != Self.handshakeRecord {
                return refuse(first, context)
            }
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        let isEnd = if case .inputClosed = event as? ChannelEvent { true } else { false }
        if !isLingering { context.fireUserInboundEventTriggered(event) }
        // Nobody is there any more to agree to the end.
        if isEnd, isLingering || session.isClosing { context.close(promise: nil) }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is CloseAtOnce else { return context.triggerUserOutboundEvent(event, promise: promise) }
        context.close(promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard case .all = mode, session.hasFailed, !session.isEstablished, !isLingering, context.channel.isActive else {
            return context.close(mode: mode, promise: promise)
        }
        context.channel.closeFuture.cascade(to: promise)
        linger(context)
    }

    /// Ends a connection whose first octet is not that of TLS.
    private func refuse(_ first: UInt8, _ context: ChannelHandlerContext) {
        session.hasFailed = true
        let isLetter = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first & 0xDF)
        guard isLetter else {
            log.note(.protocolError(reason: "what the client has sent is no TLS"), client: client)
            return context.close(promise: nil)
        }
        log.note(.plainHTTP, client: client)
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer(string: Self.answer)), promise: nil)
        linger(context)
    }

    private func linger(_ context: ChannelHandlerContext) {
        isLingering = true
        deadline?.cancel()
        context.close(mode: .output, promise: nil)
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTimeout) {
            context.close(promise: nil)
        }
    }

    /// What a client is told that speaks HTTP.
    private static let answer: String = {
        let problem =
            #"{"type":"about:blank","title":"Bad Request","status":400,"#
            + #""detail":"this port speaks HTTPS: use https://"}"# + "\n"
        let head = [
            "HTTP/1.1 400 Bad Request", "Content-Type: application/problem+json",
            "Content-Length: \(problem.utf8.count)", "X-Content-Type-Options: nosniff", "Connection: close",
        ]
        return head.joined(separator: "\r\n") + "\r\n\r\n" + problem
    }()
}
