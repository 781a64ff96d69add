/// The packet → answer function without sockets: for fuzzing and for measuring what an answer costs.
///
/// It is the very function that the workers call, with a zone and a rotation state of its own.
@safe
public struct InProcessResponder: ~Copyable {
    private var builder: ZoneBuilder
    private var responder: Responder
    private let buffer: UnsafeMutableRawBufferPointer

    /// A responder for the configured zone. Listens on nothing.
    ///
    /// - Throws: ``EngineError`` when the zone or the version text is not valid.
    public init(_ configuration: EngineConfiguration) throws(EngineError) {
        let builder = try ZoneBuilder(configuration.zone, strategy: configuration.strategy)
        let chaos = try ChaosAnswer(version: configuration.version, ttl: configuration.zone.ttl)
        self.builder = builder
        responder = Responder(
            snapshot: builder.snapshot, strategy: configuration.strategy,
            udpPayload: configuration.udpPayload,
            chaos: chaos, counters: WorkerCounters())
        // Unsafe: freed in deinit.
        unsafe buffer = .allocate(byteCount: Responder.maximumMessage, alignment: 16)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Changes the zone.
    ///
    /// - Throws: ``EngineError`` as ``Engine/publish(_:)`` does.
    public mutating func publish(_ update: ZoneUpdate) throws(EngineError) {
        try builder.apply(update)
        responder.adopt(builder.snapshot)
    }

    /// Answers one message.
    ///
    /// - Parameter overTCP: whether the reply may have 65,535 octets.
    /// - Returns: what `body` makes of the reply; `nil` when there is none.
    @inline(__always)
    public mutating func respond<Result>(
        to query: RawSpan, overTCP: Bool, _ body: (RawSpan) -> Result
    ) -> Result? {
        // Unsafe: the reply's span is the only one on the buffer, and ends with this call.
        var reply = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        let parsed = responder.read(query)
        guard responder.respond(to: query, parsed, over: overTCP ? .tcp : .udp, into: &reply) else { return nil }
        return body(reply.bytes)
    }
}
