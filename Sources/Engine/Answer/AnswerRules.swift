/// Decides the answers to queries, from the zones and from the configuration. It writes nothing and never changes: for
/// other zones or settings there is another one, see ``with(_:largeUDP:outside:)``.
///
/// This is a class because it has several hundred octets, which the compiler would copy for each call of a structure.
final class AnswerRules: Sendable {
    /// Keeps the views' memory alive.
    private let snapshot: ZoneSnapshot
    /// A zone below another one comes before it.
    let zones: [ZoneView]
    private let udpPayload: Int
    /// The clients that get longer answers over UDP.
    let largeUDP: LargeUDP
    /// The clients that may resolve names outside the zones.
    let outside: OutsideAccess
    let fixed: FixedAnswers
    let special: SpecialNames
    let addresses: RegistrableAddresses
    /// The clients that are answered at all.
    let allowed: AllowedClients
    /// Makes clients' cookies; `nil`: they get none.
    let cookies: ServerCookies?

    /// - Parameters:
    ///   - udpPayload: the largest UDP reply in octets; 512–4096.
    ///   - largeUDP: the clients that get longer ones.
    ///   - outside: the clients that may resolve names outside the zones.
    ///   - fixed: the answers that come from no zone.
    ///   - special: the names outside the zones that are answered here.
    ///   - addresses: the addresses for which names are synthesized.
    ///   - allowed: the clients that are answered at all.
    ///   - cookies: makes clients' cookies; `nil`: they get none.
    init(
        snapshot: ZoneSnapshot, udpPayload: Int, largeUDP: LargeUDP, outside: OutsideAccess, fixed: FixedAnswers,
        special: SpecialNames, addresses: RegistrableAddresses, allowed: AllowedClients = AllowedClients([]),
        cookies: ServerCookies? = nil
    ) {
        self.snapshot = snapshot
        zones = snapshot.views
        self.udpPayload = udpPayload
        self.largeUDP = largeUDP
        self.outside = outside
        self.fixed = fixed
        self.special = special
        self.addresses = addresses
        self.allowed = allowed
        self.cookies = cookies
    }

    /// The generation of the zones.
    var generation: UInt64 { snapshot.generation }

    /// The parts from which the answers for a zone's synthesized names are made.
    func synthesis(ofZone place: UInt32) -> ZoneView.Synthesis? {
        Int(place) < zones.count ? zones[Int(place)].synthesis : nil
    }

    /// The number of rotation cells of the zones' RRsets.
    var cellCount: Int { snapshot.cellCount }

    /// Rules with other zones or settings; those that are not given stay the same.
    func with(
        _ snapshot: ZoneSnapshot? = nil, largeUDP: LargeUDP? = nil, outside: OutsideAccess? = nil,
        defence: DefenceSettings? = nil
    ) -> AnswerRules {
        AnswerRules(
            snapshot: snapshot ?? self.snapshot, udpPayload: udpPayload, largeUDP: largeUDP ?? self.largeUDP,
            outside: outside ?? self.outside, fixed: fixed, special: special, addresses: addresses,
            allowed: defence?.allowed ?? allowed, cookies: defence == nil ? cookies : defence?.cookies)
    }

    /// Reads a query and finds the zone of its name. Prefetches the reference to the octets that the answer will be
    /// copied from.
    @inline(__always)
    func read(_ message: RawSpan, over transport: Transport) -> Query {
        var query = Query(message, over: transport)
        guard let question = query.question else { return query }
        let name = question.name(in: message)
        for place in zones.indices where query.find(name, inZone: place, origin: zones[place].origin.span) {
            if query.hash != 0 { zones[place].root.prefetchReference(for: query.hash) }
            break
        }
        return query
    }

    /// Prefetches the octets that the answer for a name in a zone will be copied from. The query was read some queries
    /// earlier.
    @inline(__always)
    func prefetch(for query: Query) {
        if query.zone < zones.count { zones[query.zone].root.prefetchShard(for: query.hash) }
    }

    /// Decides everything about the reply to a query that does not depend on the answer.
    ///
    /// - Parameter client: the client's address.
    /// - Returns: `nil` if there must be no reply.
    @inline(__always)
    func frame(for query: Query, from client: IPAddress?) -> ReplyFrame? {
        // A message without a header can't be answered. An answer to a response could start a loop between two servers.
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
        // Every reply to a query with OPT has one too, errors included (RFC 6891 §6.1.1).
        if case .present(let edns) = query.rest {
            frame.opt = OPTRecord(payload: UInt16(truncatingIfNeeded: udpPayload), dnssecOK: edns.dnssecOK)
            if query.transport == .udp {
                // The client's own value counts up to our limit. Every client accepts the minimum, so a lower value is
                // read as that.
                frame.limit = min(max(Int(edns.payload), MessageSize.minimumPayload), mostOverUDP)
            }
        }
        if outside.isOn, header.opcode == 0, outside.allows(client) { frame.flags |= HeaderFlags.recursionAvailable }
        return frame
    }

    /// Decides the answer to a query.
    ///
    /// - Parameters:
    ///   - query: the result of ``read(_:over:)``.
    ///   - message: the message.
    ///   - frame: the result of ``frame(for:from:)``.
    ///   - client: the client's address.
    @inline(__always)
    func outcome(of query: Query, in message: RawSpan, frame: ReplyFrame, from client: IPAddress?) -> Outcome {
        if allowed.isOn, !allowed.contains(client) { return .refused(.prohibited) }
        let isQuery = query.header?.opcode == 0
        // RFC 6891 §6.1.3: the meaning of another version is unknown here, so the rest of the query does not matter.
        if case .present(let edns) = query.rest, edns.version != EDNS.version { return .error(ResponseCode.badVersion) }
        // RFC 9619 §4: a query has exactly one question. Opcodes that aren't served get NOTIMP in any case.
        guard isQuery, let question = query.question, let header = query.header else {
            return .error(isQuery ? codeWithoutQuestion(query, frame) : ResponseCode.notImplemented)
        }
        if case .malformed = query.rest { return .error(ResponseCode.formatError) }
        // RFC 7873 §5.2.2.
        if case .present(let edns) = query.rest, edns.options.hasMalformedCookie, cookies != nil {
            return .error(ResponseCode.formatError)
        }
        if header.recordCount > (frame.opt == nil ? 0 : 1) {
            switch TransactionSignature.read(message, header, from: question.end) {
            case .none: break
            case .present: return .unknownKey
            case .malformed: return .error(ResponseCode.formatError)
            }
        }
        // Zone transfers are not offered. This is checked before the other records, because IXFR has one in AUTHORITY
        // (RFC 1995 §3).
        if question.type == .axfr || question.type == .ixfr { return transferOutcome(of: query, question) }
        if header.hasOtherRecords { return .error(ResponseCode.formatError) }
        switch question.recordClass {
        case RecordClass.internet, RecordClass.any:
            if query.position != nil { return zoneOutcome(of: query, in: message, from: client) }
            if let name = special.find(question.name(in: message)), outside.trusts(client) {
                return outcome(of: question.type, for: name)
            }
            // What upstreams are asked has class IN.
            guard question.recordClass == RecordClass.internet else { return .refused(.notAuthoritative) }
            guard frame.flags & HeaderFlags.recursionDesired != 0, outside.isOn else {
                return .refused(.notAuthoritative)
            }
            guard frame.flags & HeaderFlags.recursionAvailable != 0 else { return .refused(.prohibited) }
            // RFC 6891 §6.1.1: OPT is never forwarded.
            guard question.type != .opt else { return .error(ResponseCode.formatError) }
            return .outside
        case RecordClass.chaos:
            if let record = fixed.chaosRecord(for: question, in: message) { return .record(record) }
            return .refused(.notAuthoritative)
        default:
            return .refused(.notAuthoritative)
        }
    }

    /// The RCODE of a query without a readable question: NOERROR if it may ask for a cookie alone (RFC 7873 §5.4).
    private func codeWithoutQuestion(_ query: Query, _ frame: ReplyFrame) -> UInt16 {
        guard let header = query.header, header.questionCount == 0, !header.hasOtherRecords,
            frame.options?.cookie != nil
        else { return ResponseCode.formatError }
        return ResponseCode.noError
    }

    /// Decides the answer to a request for a zone transfer: REFUSED for a zone of this server (RFC 1035 §4.1.1), and
    /// NOTAUTH for another name (RFC 5936 §2.2.1).
    private func transferOutcome(of query: Query, _ question: Question) -> Outcome {
        guard question.recordClass == RecordClass.internet else { return .refused(.notAuthoritative) }
        return query.position?.labelCount == 0 ? .refused(.prohibited) : .error(ResponseCode.notAuthoritative)
    }
}
