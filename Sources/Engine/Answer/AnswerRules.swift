/// Decides what queries get: from the zones, and from what is configured. Writes nothing, and never changes: for other
/// zones or settings there is another one, see ``with(_:largeUDP:outside:)``.
///
/// A class, for it has several hundred octets, which the compiler would copy for each call if it were a structure.
final class AnswerRules: Sendable {
    /// Keeps alive what the views show.
    private let snapshot: ZoneSnapshot
    /// Those below others come before them.
    let zones: [ZoneView]
    private let udpPayload: Int
    /// Who gets more over UDP.
    let largeUDP: LargeUDP
    /// Who may have names outside the zones.
    let outside: OutsideAccess
    let fixed: FixedAnswers
    let special: SpecialNames
    let addresses: RegistrableAddresses

    /// - Parameters:
    ///   - udpPayload: the largest UDP reply in octets; 512–4096.
    ///   - largeUDP: who gets more.
    ///   - outside: who may have names outside the zones.
    ///   - fixed: answers that no zone has.
    ///   - special: names outside that are answered here.
    ///   - addresses: those that synthesized names have.
    init(
        snapshot: ZoneSnapshot, udpPayload: Int, largeUDP: LargeUDP, outside: OutsideAccess, fixed: FixedAnswers,
        special: SpecialNames, addresses: RegistrableAddresses
    ) {
        self.snapshot = snapshot
        zones = snapshot.views
        self.udpPayload = udpPayload
        self.largeUDP = largeUDP
        self.outside = outside
        self.fixed = fixed
        self.special = special
        self.addresses = addresses
    }

    /// The generation of the zones.
    var generation: UInt64 { snapshot.generation }

    /// What the answers for synthesized names of a zone are made of.
    func synthesis(ofZone place: UInt32) -> ZoneView.Synthesis? {
        Int(place) < zones.count ? zones[Int(place)].synthesis : nil
    }

    /// Cells of rotation that the zones' RRsets have.
    var cellCount: Int { snapshot.cellCount }

    /// The same with what is other from now on.
    func with(
        _ snapshot: ZoneSnapshot? = nil, largeUDP: LargeUDP? = nil, outside: OutsideAccess? = nil
    ) -> AnswerRules {
        AnswerRules(
            snapshot: snapshot ?? self.snapshot, udpPayload: udpPayload, largeUDP: largeUDP ?? self.largeUDP,
            outside: outside ?? self.outside, fixed: fixed, special: special, addresses: addresses)
    }

    /// Reads a query: what is asked, and where that is in which zone. Fetches what an answer from there is copied from.
    @inline(__always)
    func read(_ message: RawSpan, over transport: Transport) -> Query {
        var query = Query(message, over: transport)
        guard let question = query.question else { return query }
        let name = question.name(in: message)
        for place in zones.indices where query.find(name, inZone: place, origin: zones[place].origin.span) {
            if query.hash != 0 { zones[place].root.prefetch(query.hash) }
            break
        }
        return query
    }

    /// Decides what the reply to a query must look like, whatever it gets.
    ///
    /// - Parameter client: who has asked.
    /// - Returns: `nil` when there must be no reply.
    @inline(__always)
    func frame(for query: Query, from client: IPAddress?) -> ReplyFrame? {
        // Without a header there is nobody to answer; answering a response could start a loop of two servers.
        guard let header = query.header, !header.isResponse else { return nil }
        var frame = ReplyFrame(
            id: header.id, flags: HeaderFlags.response | header.echoedFlags, transport: query.transport,
            questionEnd: query.question?.end,
            limit: query.transport == .udp ? MessageSize.minimumPayload : MessageSize.maximum)
        var mostOverUDP = udpPayload
        if largeUDP.isOn, query.transport == .udp, largeUDP.contains(client) {
            frame.limit = largeUDP.payload
            mostOverUDP = max(udpPayload, largeUDP.payload)
        }
        // Every reply to a query with OPT has one (RFC 6891 §6.1.1), errors included.
        if case .present(let edns) = query.rest {
            frame.opt = OPTRecord(payload: UInt16(truncatingIfNeeded: udpPayload), dnssecOK: edns.dnssecOK)
            if query.transport == .udp {
                // What the client itself says counts, and less is never meant than every client takes.
                frame.limit = min(max(Int(edns.payload), MessageSize.minimumPayload), mostOverUDP)
            }
        }
        if outside.isOn, header.opcode == 0, outside.allows(client) { frame.flags |= HeaderFlags.recursionAvailable }
        return frame
    }

    /// Decides what a query gets.
    ///
    /// - Parameters:
    ///   - query: as ``read(_:over:)`` has read it.
    ///   - message: the message.
    ///   - frame: what ``frame(for:from:)`` has said.
    ///   - client: as there.
    @inline(__always)
    func outcome(of query: Query, in message: RawSpan, frame: ReplyFrame, from client: IPAddress?) -> Outcome {
        let isQuery = query.header?.opcode == 0
        // RFC 9619 §4: a query has exactly one question. Opcodes that aren't served get NOTIMP in any case.
        guard let question = query.question else {
            return .error(isQuery ? ResponseCode.formatError : ResponseCode.notImplemented)
        }
        // RFC 6891 §6.1.3: what another version means nobody here can tell, whatever else is asked.
        if case .present(let edns) = query.rest, edns.version != EDNS.version { return .error(ResponseCode.badVersion) }
        guard isQuery else { return .error(ResponseCode.notImplemented) }
        // Zone transfers are not offered. Before the rest is judged: IXFR has a record in AUTHORITY (RFC 1995 §3).
        guard question.type != .axfr, question.type != .ixfr else { return .error(ResponseCode.refused) }
        if case .malformed = query.rest { return .error(ResponseCode.formatError) }
        guard question.type != .opt else { return .error(ResponseCode.formatError) }
        switch question.recordClass {
        case RecordClass.internet:
            if query.position != nil { return zoneOutcome(of: query, in: message, from: client) }
            if let name = special.find(question.name(in: message)), outside.trusts(client) {
                return outcome(of: question.type, for: name)
            }
            let isForwarded = HeaderFlags.recursionAvailable | HeaderFlags.recursionDesired
            guard frame.flags & isForwarded == isForwarded else { return .error(ResponseCode.refused) }
            return .outside
        case RecordClass.chaos:
            if let record = fixed.chaosRecord(for: question, in: message) { return .record(record) }
            return .error(ResponseCode.refused)
        default:
            return .error(ResponseCode.refused)
        }
    }
}
