/// The options of a query's OPT record that are answered here. All others are ignored (RFC 6891 §6.1.2).
struct EDNSOptions {
    /// Codes of options (IANA "DNS EDNS0 Option Codes").
    enum Code {
        static let identifier: UInt16 = 3
        static let cookie: UInt16 = 10
        static let keepalive: UInt16 = 11
    }

    /// The octets in front of an option's data: code and length.
    static let headerByteCount = 4

    /// The client asks for the name server identifier (RFC 5001 §2.1).
    private(set) var asksForIdentifier = false
    /// The client asks how long its TCP connection may be idle (RFC 7828 §3.2).
    private(set) var asksForKeepalive = false
    /// There is a COOKIE option with a length that it can't have (RFC 7873 §5.2.2).
    private(set) var hasMalformedCookie = false
    /// The offset of the cookie in the message; 0: there is none.
    private var cookieOffset: UInt16 = 0
    private var cookieByteCount: UInt8 = 0

    /// Whether nothing of it is answered here.
    var isEmpty: Bool { cookieOffset == 0 && !asksForIdentifier && !asksForKeepalive }

    /// Reads the data of an OPT record: a sequence of {code, length, data} (RFC 6891 §6.1.2).
    ///
    /// - Returns: `nil` if it is no such sequence.
    init?(_ message: RawSpan, in data: Range<Int>) {
        var offset = data.lowerBound
        while offset < data.upperBound {
            guard let code = message.uint16(at: offset), let length = message.uint16(at: offset + 2) else {
                return nil
            }
            let start = offset + Self.headerByteCount
            offset = start + Int(length)
            guard offset <= data.upperBound else { return nil }
            take(code, at: start, Int(length))
        }
    }

    private mutating func take(_ code: UInt16, at start: Int, _ byteCount: Int) {
        switch code {
        case Code.identifier: asksForIdentifier = true
        case Code.keepalive: asksForKeepalive = true
        // RFC 7873 §5.2: only the first one counts.
        case Code.cookie where cookieOffset == 0 && !hasMalformedCookie:
            guard byteCount == 8 || (16...40).contains(byteCount) else {
                hasMalformedCookie = true
                return
            }
            cookieOffset = UInt16(truncatingIfNeeded: start)
            cookieByteCount = UInt8(truncatingIfNeeded: byteCount)
        default: break
        }
    }

    /// The cookie in the message that this was read from.
    func cookie(in message: RawSpan) -> DNSCookie? {
        guard cookieOffset > 0 else { return nil }
        return DNSCookie(message, at: Int(cookieOffset), byteCount: Int(cookieByteCount))
    }
}

/// The contents of a COOKIE option (RFC 7873 §4): the client's part, and what a server has added to it.
struct DNSCookie: Equatable {
    /// The octets of a whole one with a server cookie of version 1.
    static let byteCount = 24

    /// The server's part (RFC 9018 §4).
    struct Server: Equatable {
        /// Version, reserved octets, and the time when it was made.
        var head: UInt64
        var hash: UInt64
    }

    /// The client's part.
    let client: UInt64
    /// `nil`: there is none, or not one of ours.
    var server: Server?

    /// A cookie with these parts.
    init(client: UInt64, server: Server?) {
        self.client = client
        self.server = server
    }

    fileprivate init?(_ message: RawSpan, at offset: Int, byteCount: Int) {
        guard let client = message.uint64(at: offset) else { return nil }
        self.client = client
        guard byteCount == Self.byteCount, let head = message.uint64(at: offset + 8),
            let hash = message.uint64(at: offset + 16)
        else { return }
        server = Server(head: head, hash: hash)
    }
}

/// The options of a reply's OPT record, besides the reason for an answer.
struct ReplyOptions {
    /// The client's cookie with a server cookie.
    var cookie: DNSCookie?
    /// How many octets the name server identifier has; 0: the reply has none.
    var identifierByteCount = 0
    /// How long the TCP connection may be idle, in units of 100 ms.
    var keepalive: UInt16?

    /// The octets of all.
    var byteCount: Int {
        (cookie == nil ? 0 : EDNSOptions.headerByteCount &+ DNSCookie.byteCount)
            &+ (identifierByteCount == 0 ? 0 : EDNSOptions.headerByteCount &+ identifierByteCount)
            &+ (keepalive == nil ? 0 : EDNSOptions.headerByteCount &+ 2)
    }
}

extension RawSpan {
    /// The 64-bit number in network order at `offset`; `nil` beyond the end.
    fileprivate func uint64(at offset: Int) -> UInt64? {
        guard let high = uint32(at: offset), let low = uint32(at: offset &+ 4) else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }
}
