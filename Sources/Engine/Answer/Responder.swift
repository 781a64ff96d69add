/// How a query came in.
enum Transport {
    case udp
    case tcp
}

/// What becomes of a query.
enum Disposition {
    /// A reply was written.
    case reply
    /// There must be no reply.
    case silence
    /// An upstream has to be asked first: see ``Responder/deferred``.
    case forward
    /// A reply was written from the cache, and the answer is worth asking for again: see ``Responder/deferred``.
    case replyAndRefresh
}

/// A worker's answers: a query in, a reply out. Owns the worker's rotation state and knows no sockets.
struct Responder: ~Copyable {
    /// Keeps alive what the views show.
    private var snapshot: ZoneSnapshot
    /// Those below others come before them.
    private(set) var zones: [ZoneView]
    private var strategy: any RotationStrategy
    private var cells = RotationCells()
    private let udpPayload: Int
    /// Who gets more over UDP.
    var largeUDP: LargeUDP
    let fixed: FixedAnswers
    let special: SpecialNames
    private let addresses: RegistrableAddresses
    let counters: WorkerCounters
    /// How names outside the zone are answered.
    var outside: OutsideNames
    /// The query that was answered ``Disposition/forward`` or ``Disposition/replyAndRefresh`` last.
    var deferred: DeferredQuery?

    /// - Parameters:
    ///   - udpPayload: the largest UDP reply in octets; 512–4096.
    ///   - largeUDP: who gets more.
    ///   - special: names outside that are answered here.
    ///   - addresses: those that synthesized names have.
    ///   - outside: how names outside the zone are answered.
    init(
        snapshot: ZoneSnapshot, strategy: RotationStrategyName, udpPayload: Int, largeUDP: LargeUDP,
        fixed: FixedAnswers, special: SpecialNames, addresses: RegistrableAddresses, counters: WorkerCounters,
        outside: consuming OutsideNames
    ) {
        self.snapshot = snapshot
        zones = snapshot.views
        self.strategy = strategy.makeStrategy()
        self.udpPayload = udpPayload
        self.largeUDP = largeUDP
        self.fixed = fixed
        self.special = special
        self.addresses = addresses
        self.counters = counters
        self.outside = outside
        cells.grow(to: snapshot.cellCount)
    }

    /// What an OPT record of ours says of the UDP payload.
    var offeredPayload: UInt16 { UInt16(truncatingIfNeeded: udpPayload) }

    /// The generation that is answered from.
    var generation: UInt64 { snapshot.generation }

    /// Answers from `next` from now on.
    mutating func adopt(_ next: ZoneSnapshot) {
        cells.grow(to: next.cellCount)
        snapshot = next
        zones = next.views
    }

    /// Reads a query, and fetches what its answer will be copied from, or for a name outside what leads there.
    @inline(__always)
    func read(_ message: RawSpan, _ cache: borrowing CacheReading) -> Query {
        var query = Query(message)
        guard let question = query.question else { return query }
        let name = question.name(in: message)
        for place in zones.indices where query.find(name, inZone: place, origin: zones[place].origin.span) {
            if query.hash != 0 { zones[place].root.prefetch(query.hash) }
            return query
        }
        if outside.isOn {
            query.hash = NameHash.hash(name, type: question.type)
            cache.prefetchLink(query.hash)
        }
        return query
    }

    /// Fetches what the answer to a query that was read some others ago will be copied from.
    @inline(__always)
    func prefetch(for query: Query, _ cache: inout CacheReading) {
        if query.position == nil, query.hash != 0 { cache.prefetchEntry(query.hash) }
    }

    /// Writes the reply to a query.
    ///
    /// - Parameters:
    ///   - query: the message.
    ///   - parsed: what ``read(_:_:)`` made of it.
    ///   - client: who has asked; called where that makes a difference alone.
    ///   - cache: what names outside are answered from.
    ///   - reply: empty, with room for 65,535 octets over TCP, and for the longest datagram else.
    @inline(__always)
    mutating func respond(
        to query: RawSpan, _ parsed: Query, over transport: Transport, from client: () -> IPAddress?,
        _ cache: inout CacheReading, into reply: inout OutputRawSpan
    ) -> Disposition {
        switch transport {
        case .udp: counters.count(.udpQueries)
        case .tcp: counters.count(.tcpQueries)
        }
        // Without a header there is nobody to answer; answering a response could start a loop of two servers.
        guard let header = parsed.header, !header.isResponse else {
            counters.count(.dropped)
            return .silence
        }
        var frame = ReplyFrame(
            header: header, questionEnd: nil, edns: nil,
            limit: transport == .udp ? MessageSize.minimumPayload : MessageSize.maximum)
        var mostOverUDP = udpPayload
        if largeUDP.isOn, transport == .udp, largeUDP.contains(client()) {
            frame.limit = largeUDP.payload
            mostOverUDP = max(udpPayload, largeUDP.payload)
        }
        if outside.isOn, header.opcode == 0, outside.allows(client()) {
            frame.recursionAvailable = HeaderFlags.recursionAvailable
        }
        // RFC 9619 §4: a query has exactly one question. Opcodes that aren't served get NOTIMP in any case.
        guard let question = parsed.question else {
            let code = header.opcode == 0 ? ResponseCode.formatError : ResponseCode.notImplemented
            writeError(code, frame, query, into: &reply)
            return .reply
        }
        frame.questionEnd = question.end
        // Read first of all, for every reply to a query with OPT has one (RFC 6891 §6.1.1), errors included.
        let hasOtherRecords = header.answerCount > 0 || header.authorityCount > 0
        let records =
            hasOtherRecords
            ? .malformed : EDNS.read(query, recordCount: Int(header.additionalCount), from: question.end)
        if case .present(let edns) = records {
            frame.edns = edns
            if transport == .udp {
                // What the client itself says counts, and less is never meant than every client takes.
                frame.limit = min(max(Int(edns.payload), MessageSize.minimumPayload), mostOverUDP)
            }
            // RFC 6891 §6.1.3: what another version means nobody here can tell, whatever else is asked.
            guard edns.version == EDNS.version else {
                writeError(ResponseCode.badVersion, frame, query, into: &reply)
                return .reply
            }
        }
        guard header.opcode == 0 else {
            writeError(ResponseCode.notImplemented, frame, query, into: &reply)
            return .reply
        }
        // Zone transfers are not offered. Before the rest is judged: IXFR has a record in AUTHORITY (RFC 1995 §3).
        guard question.type != .axfr, question.type != .ixfr else {
            writeError(ResponseCode.refused, frame, query, into: &reply)
            return .reply
        }
        if case .malformed = records {
            writeError(ResponseCode.formatError, frame, query, into: &reply)
            return .reply
        }
        guard question.type != .opt else {
            writeError(ResponseCode.formatError, frame, query, into: &reply)
            return .reply
        }
        switch question.recordClass {
        case RecordClass.internet:
            if parsed.position == nil {
                if let name = special.find(question.name(in: query)), outside.trusts(client()) {
                    answer(name, question.type, frame, query, into: &reply)
                    return .reply
                }
                return answerOutside(question, parsed.hash, frame, query, &cache, into: &reply)
            }
            answer(question, parsed, frame, query, transport, client, into: &reply)
        case RecordClass.chaos:
            if let record = fixed.chaosRecord(for: question, in: query) {
                write(oneRecord: record.span, frame, query, into: &reply)
            } else {
                writeError(ResponseCode.refused, frame, query, into: &reply)
            }
        default:
            writeError(ResponseCode.refused, frame, query, into: &reply)
        }
        return .reply
    }

    /// Answers from the zone.
    @inline(__always)
    mutating func answer(
        _ question: Question, _ parsed: Query, _ frame: ReplyFrame, _ query: RawSpan, _ transport: Transport,
        _ client: () -> IPAddress?, into reply: inout OutputRawSpan
    ) {
        guard let position = parsed.position, parsed.zone < zones.count else {
            writeError(ResponseCode.refused, frame, query, into: &reply)
            return
        }
        let zone = zones[parsed.zone]
        let relative = question.name(in: query).extracting(0..<position.relativeByteCount)
        let shard: ShardView
        let found: Int?
        if position.labelCount == 0 {
            shard = zone.apex
            found = 0
        } else {
            shard = zone.root.view(for: parsed.hash)
            found = shard.index(of: relative, hash: parsed.hash)
        }
        guard let found else {
            if zone.synthesis != nil,
                SynthesizedAddress.isBelow(relative, lastLabelOffset: position.lastLabelOffset)
            {
                answerSynthesized(
                    relative, labelCount: position.labelCount, in: zone, question.type, frame, query, client,
                    into: &reply)
            } else {
                writeNegative(ResponseCode.nameError, in: zone, position, frame, query, into: &reply)
            }
            return
        }
        let entry = shard.names[found]
        guard entry.kind != .failure else {
            writeNoInstance(frame, query, into: &reply)
            return
        }
        for index in Int(entry.firstRRset)..<(Int(entry.firstRRset) &+ Int(entry.rrsetCount)) {
            let rrset = shard.rrsets[index]
            if rrset.type == question.type {
                write(rrset, of: shard, frame, query, transport, into: &reply)
                return
            }
        }
        if question.type == .any, entry.rrsetCount > 0 {
            // RFC 8482 §4.2: a HINFO record instead of everything.
            write(oneRecord: fixed.any.span, frame, query, into: &reply)
            return
        }
        writeNegative(ResponseCode.noError, in: zone, position, frame, query, into: &reply)
    }

    /// Answers with an RRset: the records in rotation, then, for SRV, their targets' addresses.
    @inline(__always)
    private mutating func write(
        _ rrset: PackedRRset, of shard: ShardView, _ frame: ReplyFrame, _ query: RawSpan,
        _ transport: Transport,
        into reply: inout OutputRawSpan
    ) {
        if let list = shard.list(of: rrset) {
            write(list, rrset, frame, query, transport, into: &reply)
            return
        }
        let octets = shard.octets
        let services = shard.services
        let weights = shard.weights
        counters.count(.answered)
        reply.begin(frame, query: query, flags: HeaderFlags.authoritative, code: ResponseCode.noError)
        let answerStart = reply.byteCount
        let limit = frame.limit &- frame.reserved
        let fits =
            answerStart &+ Int(rrset.answerByteCount) <= limit && rrset.count <= UInt32(UInt16.max)
        var additionalCount: UInt16 = 0
        if fits {
            var first = 0
            if rrset.count > 1 {
                let start = weights.isEmpty ? 0 : Int(rrset.firstWeight)
                let end = weights.isEmpty ? 0 : start &+ Int(rrset.count)
                first = strategy.first(of: rrset.rotated, weights: weights.extracting(start..<end), cells: &cells)
            }
            reply.append(
                all: rrset, octets: octets, from: rrset.offset(ofRecord: first, in: services))
            reply.replace(
                at: HeaderOffset.answerCount, bigEndian: UInt16(truncatingIfNeeded: rrset.count))
            if rrset.additionalByteCount > 0 {
                additionalCount = reply.append(
                    additionalOf: rrset, octets: octets, services: services, first: first,
                    answerStart: answerStart, limit: limit)
            }
        } else if transport == .tcp {
            // More records than a message can hold: as many as fit, the next answer goes on behind them. Without TC,
            // which could only send the client to the transport that it is using.
            let first = strategy.firstOfSome(of: rrset.rotated, cells: &cells)
            let count = reply.append(
                some: rrset, octets: octets, services: services, from: first, limit: limit)
            strategy.note(sent: Int(count), from: first, of: rrset.rotated, cells: &cells)
            reply.replace(at: HeaderOffset.answerCount, bigEndian: count)
        } else {
            // RFC 2181 §9: TC, since a required RRset is cut. The rotation does not move: the client asks again.
            let count = reply.append(
                some: rrset, octets: octets, services: services, from: 0, limit: limit)
            truncate(frame, count: count, &reply)
        }
        reply.end(
            frame, additionalCount: additionalCount, payload: offeredPayload,
            code: ResponseCode.noError)
    }

    /// Answers with an RRset of many records, which are not in the shard.
    private mutating func write(
        _ list: RecordListView, _ rrset: PackedRRset, _ frame: ReplyFrame, _ query: RawSpan, _ transport: Transport,
        into reply: inout OutputRawSpan
    ) {
        counters.count(.answered)
        reply.begin(frame, query: query, flags: HeaderFlags.authoritative, code: ResponseCode.noError)
        let answerStart = reply.byteCount
        let limit = frame.limit &- frame.reserved
        let fits =
            answerStart &+ Int(rrset.answerByteCount) <= limit && rrset.count <= UInt32(UInt16.max)
        var additionalCount: UInt16 = 0
        if fits {
            let first = rrset.count > 1 ? strategy.first(of: rrset.rotated, weights: list.weights, cells: &cells) : 0
            reply.append(all: list, from: first)
            reply.replace(at: HeaderOffset.answerCount, bigEndian: UInt16(truncatingIfNeeded: rrset.count))
            if rrset.additionalByteCount > 0 {
                additionalCount = reply.append(
                    additionalOf: list, first: first, answerStart: answerStart, limit: limit)
            }
        } else if transport == .tcp {
            let first = strategy.firstOfSome(of: rrset.rotated, cells: &cells)
            let count = reply.append(some: list, from: first, limit: limit)
            strategy.note(sent: Int(count), from: first, of: rrset.rotated, cells: &cells)
            reply.replace(at: HeaderOffset.answerCount, bigEndian: count)
        } else {
            truncate(frame, count: reply.append(some: list, from: 0, limit: limit), &reply)
        }
        reply.end(frame, additionalCount: additionalCount, payload: offeredPayload, code: ResponseCode.noError)
    }

    /// Says that the `count` records in ANSWER are not all.
    private func truncate(_ frame: ReplyFrame, count: UInt16, _ reply: inout OutputRawSpan) {
        counters.count(.truncated)
        reply.replace(at: HeaderOffset.answerCount, bigEndian: count)
        reply.replace(
            at: HeaderOffset.flags,
            bigEndian: frame.flags | HeaderFlags.authoritative | HeaderFlags.truncated)
    }

    /// Answers a name below `addr.<origin>`, and `addr.<origin>` itself, an empty non-terminal.
    private func answerSynthesized(
        _ relative: RawSpan, labelCount: Int, in zone: ZoneView, _ type: RecordType, _ frame: ReplyFrame,
        _ query: RawSpan,
        _ client: () -> IPAddress?, into reply: inout OutputRawSpan
    ) {
        let position = DomainName.Position(
            relativeByteCount: relative.byteCount, labelCount: labelCount, lastLabelOffset: 0)
        guard labelCount > 1 else {
            writeNegative(ResponseCode.noError, in: zone, position, frame, query, into: &reply)
            return
        }
        // What nobody may register has no name: a filter that forbids the address could be passed with it otherwise.
        guard labelCount == 2, let synthesis = zone.synthesis, let address = SynthesizedAddress.read(relative),
            addresses.contains(address, client: client)
        else {
            writeNegative(ResponseCode.nameError, in: zone, position, frame, query, into: &reply)
            return
        }
        if type == .any {
            write(oneRecord: fixed.any.span, frame, query, into: &reply)
            return
        }
        guard type == address.recordType else {
            writeNegative(ResponseCode.noError, in: zone, position, frame, query, into: &reply)
            return
        }
        counters.count(.answered)
        reply.begin(frame, query: query, flags: HeaderFlags.authoritative, code: ResponseCode.noError)
        reply.replace(at: HeaderOffset.answerCount, bigEndian: 1)
        switch address {
        case .v4(let value):
            reply.append(octets: synthesis.address4.span)
            reply.append(bigEndian: value)
        case .v6(let high, let low):
            reply.append(octets: synthesis.address6.span)
            reply.append(bigEndian: UInt32(truncatingIfNeeded: high >> 32))
            reply.append(bigEndian: UInt32(truncatingIfNeeded: high))
            reply.append(bigEndian: UInt32(truncatingIfNeeded: low >> 32))
            reply.append(bigEndian: UInt32(truncatingIfNeeded: low))
        }
        reply.end(
            frame, additionalCount: 0, payload: offeredPayload,
            code: ResponseCode.noError)
    }

    /// Answers with one packed record.
    func write(
        oneRecord record: RawSpan, _ frame: ReplyFrame, _ query: RawSpan,
        into reply: inout OutputRawSpan
    ) {
        counters.count(.answered)
        reply.begin(frame, query: query, flags: HeaderFlags.authoritative, code: ResponseCode.noError)
        reply.append(octets: record)
        reply.replace(at: HeaderOffset.answerCount, bigEndian: 1)
        reply.end(
            frame, additionalCount: 0, payload: offeredPayload,
            code: ResponseCode.noError)
    }

    /// NXDOMAIN or NODATA, with the SOA in AUTHORITY (RFC 2308 §2).
    @inline(__always)
    private func writeNegative(
        _ code: UInt16, in zone: ZoneView, _ position: DomainName.Position, _ frame: ReplyFrame, _ query: RawSpan,
        into reply: inout OutputRawSpan
    ) {
        if code == ResponseCode.nameError {
            counters.count(.nameErrors)
        } else {
            counters.count(.noData)
        }
        reply.begin(frame, query: query, flags: HeaderFlags.authoritative, code: code)
        // Fits always: header and question have at most 271 octets, this record at most 175 and OPT 11.
        reply.append(zone.negativeSOA, zone: MessageHeader.byteCount &+ position.relativeByteCount)
        reply.replace(at: HeaderOffset.authorityCount, bigEndian: 1)
        reply.end(
            frame, additionalCount: 0, payload: offeredPayload, code: code)
    }

    /// SERVFAIL for a name that nobody is healthy under, with the reason for clients with EDNS (RFC 8914).
    private func writeNoInstance(_ frame: ReplyFrame, _ query: RawSpan, into reply: inout OutputRawSpan) {
        let code = ResponseCode.serverFailure
        counters.count(.serverFailures)
        reply.begin(frame, query: query, flags: 0, code: code)
        reply.end(frame, additionalCount: 0, payload: offeredPayload, code: code, reason: .other)
        guard frame.edns != nil else { return }
        // The option is the last of the message: its text is put behind, and the two lengths are told.
        let text = fixed.noInstance.span
        let end = reply.byteCount
        reply.append(octets: text)
        let length = UInt16(truncatingIfNeeded: text.byteCount)
        reply.replace(at: end &- ExtendedError.byteCount &- 2, bigEndian: UInt16(ExtendedError.byteCount) &+ length)
        reply.replace(at: end &- 4, bigEndian: 2 &+ length)
    }

    /// A reply without records.
    func writeError(
        _ code: UInt16, _ frame: ReplyFrame, _ query: RawSpan, into reply: inout OutputRawSpan
    ) {
        switch code {
        case ResponseCode.formatError: counters.count(.formatErrors)
        case ResponseCode.serverFailure: counters.count(.serverFailures)
        case ResponseCode.notImplemented: counters.count(.notImplemented)
        case ResponseCode.badVersion: counters.count(.badVersions)
        default: counters.count(.refused)
        }
        reply.begin(frame, query: query, flags: 0, code: code)
        reply.end(
            frame, additionalCount: 0, payload: offeredPayload, code: code)
    }
}
