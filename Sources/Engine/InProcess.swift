/// The function from packet to answer without sockets, for fuzzing and for measuring what an answer costs.
///
/// It is the very function that the workers call, with zones and a rotation state of its own.
@safe
public struct InProcessResponder: ~Copyable {
    private var builder: SnapshotBuilder
    private var responder: Responder
    private let forwarding: SharedForwarding
    private var cache: CacheReader
    private let buffer: UnsafeMutableRawBufferPointer

    /// A responder for the configured zones. It listens on nothing.
    ///
    /// - Throws: ``EngineError`` if a zone or the version text is invalid.
    public init(_ configuration: EngineConfiguration) throws(EngineError) {
        let builder = try SnapshotBuilder(configuration.zones, strategy: configuration.strategy)
        let fixed = try configuration.makeFixedAnswers()
        let special = try SpecialNames()
        let forwarding = try SharedForwarding(
            configuration.forwarding, own: configuration.ownNames, readerCount: 1)
        let settings = ForwardingSettings(configuration.forwarding.upstreams)
        let defence = try DefenceSettings(configuration.defence)
        self.builder = builder
        self.forwarding = forwarding
        responder = Responder(
            configuration, snapshot: builder.snapshot, fixed: fixed, special: special, settings: settings,
            defence: defence)
        cache = CacheReader(forwarding.cache, number: 0)
        // Unsafe: freed in deinit.
        unsafe buffer = .allocate(byteCount: MessageSize.maximum, alignment: 16)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// Changes the zones.
    ///
    /// - Throws: ``EngineError``, as ``Engine/publish(_:)`` does.
    public mutating func publish(_ update: ZoneUpdate) throws(EngineError) {
        try builder.apply(update)
        responder.adopt(builder.snapshot)
    }

    /// Reads an upstream's response, and caches it as the workers would.
    ///
    /// - Parameters:
    ///   - answer: a response with its question.
    ///   - query: the query that it answers, with the same name and type.
    /// - Returns: whether it was an answer that may be passed on.
    public func accept(upstream answer: RawSpan, to query: RawSpan) -> Bool {
        guard let header = MessageHeader(query), let question = Question(query) else { return false }
        let key = CacheKey(
            name: question.name(in: query), type: question.type,
            variant: AnswerVariant(flags: header.flags, dnssecOK: false))
        let expected = UpstreamResponse.Expectation(
            id: header.id, query: query.array, key: key, checksCase: true, usesEDNS: false)
        guard case .answer(let content) = UpstreamResponse.read(answer, expected, own: forwarding.own)
        else { return false }
        // The workers would query upstreams for more.
        if content.leadsOutside { return false }
        let lifetime = forwarding.ttlPolicy.lifetime(of: content.ttl, isNegative: content.isNegative)
        let times = forwarding.ttlPolicy.times(lifetime: max(lifetime, 1), now: .now)
        guard let made = StoredAnswer.make(content, key: key, times: times) else { return false }
        forwarding.cache.take(made)
        return true
    }

    /// What is in the cache.
    public var cacheStatistics: CacheStatistics { forwarding.cache.statistics }

    /// Answers one message.
    ///
    /// - Parameter overTCP: whether the reply may have 65,535 octets.
    /// - Returns: the result of `body` for the reply, or `nil` if there is none.
    @inline(__always)
    public mutating func respond<Result>(
        to query: RawSpan, overTCP: Bool, _ body: (RawSpan) -> Result
    ) -> Result? {
        // Unsafe: see answer(_:overTCP:with:cache:in:).
        let (disposition, byteCount) = unsafe Self.answer(
            query, overTCP: overTCP, with: &responder, cache: &cache, in: buffer)
        switch disposition {
        case .reply, .replyAndRefresh:
            // Unsafe: this many octets of the buffer were written, and nobody writes any while `body` runs.
            return unsafe body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<byteCount])))
        case .silence, .forward: return nil
        }
    }

    /// - Parameter buffer: must have room for the longest message.
    @inline(__always)
    private static func answer(
        _ query: RawSpan, overTCP: Bool, with responder: inout Responder, cache: inout CacheReader,
        in buffer: UnsafeMutableRawBufferPointer
    ) -> (Disposition, byteCount: Int) {
        cache.read { cache in
            // Unsafe: the reply's span is the only one on the buffer, and ends with this call.
            var reply = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
            let parsed = responder.read(query, over: overTCP ? .tcp : .udp, cache)
            let disposition = responder.respond(
                to: query, as: parsed, from: .v4(0x7F00_0001), cache: &cache, into: &reply)
            return (disposition, reply.byteCount)
        }
    }
}
