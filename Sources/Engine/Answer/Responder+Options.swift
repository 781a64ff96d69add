import CEvent

/// Options of EDNS that are answered: cookies, the identifier, and how long a connection may be idle.
extension Responder {
    /// Decides which options the reply has. There are none in replies to queries without options.
    ///
    /// - Returns: the options, and whether the client has shown by its cookie that it has its address.
    @inline(never)
    func options(
        for edns: EDNS, in message: RawSpan, from client: IPAddress?, _ frame: ReplyFrame
    ) -> (options: ReplyOptions?, isKnown: Bool) {
        // The options of another version are unknown here (RFC 6891 §6.1.3).
        guard edns.version == EDNS.version else { return (nil, false) }
        var options = ReplyOptions()
        var isKnown = false
        if let cookies = rules.cookies, let client, let asked = edns.options.cookie(in: message) {
            let answer = cookies.answer(asked, from: client, now: wall_seconds())
            isKnown = answer.isValid
            options.cookie = answer.cookie
        }
        if edns.options.asksForIdentifier, let identifier = rules.fixed.identifier,
            frame.limit >= MessageSize.maximumNegative &+ EDNSOptions.headerByteCount &+ identifier.byteCount
        {
            options.identifierByteCount = identifier.byteCount
        }
        // RFC 7828 §3.3.1: over UDP it is ignored.
        if edns.options.asksForKeepalive, frame.transport == .tcp { options.keepalive = rules.fixed.keepalive }
        return (options.byteCount > 0 ? options : nil, isKnown)
    }
}

extension OutputRawSpan {
    /// The same with options in the OPT record, which is the last one; see ``append(_:_:_:_:)``.
    @inline(never)
    @_lifetime(copy self)
    consuming func appending(
        _ options: ReplyOptions?, _ identifier: OctetsView?, _ reason: ExtendedError?, _ text: OctetsView?
    ) -> OutputRawSpan {
        var octets = self
        octets.append(options, identifier, reason, text)
        return octets
    }

    /// Appends options to the OPT record, which is the last one.
    ///
    /// - Parameters:
    ///   - identifier: the name server identifier, if the options have it.
    ///   - reason: the reason for the response code (RFC 8914 §2), with a text for people.
    @_lifetime(self: copy self)
    mutating func append(
        _ options: ReplyOptions?, _ identifier: OctetsView?, _ reason: ExtendedError?, _ text: OctetsView?
    ) {
        let start = byteCount
        if let cookie = options?.cookie, let server = cookie.server {
            append(bigEndian: EDNSOptions.Code.cookie)
            append(bigEndian: UInt16(DNSCookie.byteCount))
            append(bigEndian: cookie.client)
            append(bigEndian: server.head)
            append(bigEndian: server.hash)
        }
        if let identifier, options?.identifierByteCount ?? 0 > 0 {
            append(bigEndian: EDNSOptions.Code.identifier)
            append(bigEndian: UInt16(truncatingIfNeeded: identifier.byteCount))
            append(octets: identifier.span)
        }
        if let keepalive = options?.keepalive {
            append(bigEndian: EDNSOptions.Code.keepalive)
            append(bigEndian: UInt16(2))
            append(bigEndian: keepalive)
        }
        if let reason {
            append(bigEndian: ExtendedError.optionCode)
            append(bigEndian: UInt16(truncatingIfNeeded: 2 &+ (text?.byteCount ?? 0)))
            append(bigEndian: reason.rawValue)
            if let text { append(octets: text.span) }
        }
        // The length of the record's data is directly in front of it.
        replace(at: start &- 2, bigEndian: UInt16(truncatingIfNeeded: byteCount &- start))
    }
}
