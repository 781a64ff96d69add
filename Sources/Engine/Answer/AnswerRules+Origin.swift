/// Where an answer came from, for the few queries of which it is noted: it is decided once more, so that all others pay
/// nothing.
extension AnswerRules {
    /// Where the answer to a query came from that was answered by these rules, and did not have to wait.
    func origin(of message: RawSpan, over transport: Transport, from client: IPAddress?) -> QueryOrigin {
        let query = read(message, over: transport)
        guard let frame = frame(for: query, from: client) else {
            return QueryOrigin(source: .none, extendedCode: nil, hasEDNS: false, isDNSSECOK: false)
        }
        var origin = QueryOrigin(.zone, frame)
        switch outcome(of: query, in: message, frame: frame, from: client) {
        case .outside: origin.source = .cache
        case .error(let code):
            origin.source = .none
            if code > 0xF { origin.extendedCode = code }
        case .refused, .unknownKey: origin.source = .none
        case .address: origin.source = .synthesized
        default: if query.position == nil { origin.source = .special }
        }
        return origin
    }
}

extension QueryOrigin {
    /// The origin of an answer whose query got this frame.
    init(_ source: QuerySource, _ frame: ReplyFrame) {
        self.init(
            source: source, extendedCode: nil, hasEDNS: frame.opt != nil, isDNSSECOK: frame.opt?.dnssecOK ?? false)
    }
}
