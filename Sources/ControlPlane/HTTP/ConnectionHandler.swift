import Engine
import NIOCore
import NIOHTTP1

/// The handler in a connection's channel, between NIO's HTTP handlers and the task that answers.
///
/// It notes when requests arrive, tells ``OpenConnections`` what the connection is doing, and closes it after too long
/// an idle time or when the server stops.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = RequestPart
    typealias OutboundIn = ResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// How long a connection without a request stays open when the server stops.
    private static let quiescingDelay = TimeAmount.milliseconds(50)

    private let id: ConnectionTable.ID
    private let client: IPAddress?
    private let session: SecureSession?
    private let open: OpenConnections
    private let decoder: RequestDecoder
    private let time: TimeSource
    private let idleTimeout: TimeAmount
    private let end = ConnectionEnd()

    /// The numbers of requests begun, of complete requests, and of answers.
    private var headCount = 0
    private var endCount = 0
    private var answerCount = 0
    private var stopsDecoder = false
    private var isQuiescing = false
    private var lastActivity = NIODeadline.now()
    private var idleTask: Scheduled<Void>?

    init(
        id: ConnectionTable.ID, client: IPAddress?, session: SecureSession?, open: OpenConnections,
        decoder: RequestDecoder, time: TimeSource, idleTimeout: TimeAmount
    ) {
        self.id = id
        self.client = client
        self.session = session
        self.open = open
        self.decoder = decoder
        self.time = time
        self.idleTimeout = idleTimeout
    }

    /// Whether a complete request waits for its answer.
    private var isWorking: Bool { endCount > answerCount }

    func handlerAdded(context: ChannelHandlerContext) {
        scheduleIdleCheck(context, at: lastActivity + idleTimeout)
    }

    func channelInactive(context: ChannelHandlerContext) {
        idleTask?.cancel()
        end.come()
        open.remove(id)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        idleTask?.cancel()
        end.come()
        open.remove(id)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastActivity = .now()
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            headCount += 1
            stopsDecoder = head.stopsDecoder
            decoder.noteHead()
            var head = RequestHead(head, arrival: time.now(), client: client, connectionEnd: end)
            if let session { head.certificateSubject = session.subject }
            context.fireChannelRead(Self.wrapInboundOut(.head(head)))
        case .body(let octets):
            decoder.noteBody(octets: octets.readableBytes)
            context.fireChannelRead(Self.wrapInboundOut(.body(octets)))
        case .end:
            let wasWorking = isWorking
            endCount += 1
            if isWorking, !wasWorking { open.begin(id) }
            decoder.noteEnd(stops: stopsDecoder)
            context.fireChannelRead(Self.wrapInboundOut(.end))
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch Self.unwrapOutboundIn(data) {
        case .head(let head):
            context.write(Self.wrapOutboundOut(.head(head)), promise: promise)
        case .body(let octets):
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(octets))), promise: promise)
        case .end(let trailers):
            lastActivity = .now()
            let wasWorking = isWorking
            answerCount += 1
            if wasWorking, !isWorking { open.end(id) }
            guard isQuiescing, answerCount >= headCount else {
                context.write(Self.wrapOutboundOut(.end(trailers)), promise: promise)
                return
            }
            context.writeAndFlush(Self.wrapOutboundOut(.end(trailers)), promise: promise)
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else {
            // Who only has no more to send is answered all the same, but waits for nothing that may take long.
            if case .inputClosed = event as? ChannelEvent { end.come() }
            context.fireUserInboundEventTriggered(event)
            return
        }
        isQuiescing = true
        end.come()
        // Requests sent before may be about to arrive.
        idleTask?.cancel()
        idleTask = context.eventLoop.assumeIsolated().scheduleTask(in: Self.quiescingDelay) { [self] in
            if answerCount >= headCount { context.close(promise: nil) }
        }
    }

    private func scheduleIdleCheck(_ context: ChannelHandlerContext, at deadline: NIODeadline) {
        idleTask = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [self] in
            checkIdleness(context)
        }
    }

    private func checkIdleness(_ context: ChannelHandlerContext) {
        // The client is not late while its answer is being made.
        let start = isWorking ? .now() : lastActivity
        if NIODeadline.now() >= start + idleTimeout {
            context.close(promise: nil)
        } else {
            scheduleIdleCheck(context, at: start + idleTimeout)
        }
    }
}
