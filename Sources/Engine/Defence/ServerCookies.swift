/// Makes and checks server cookies (RFC 9018 §4), by which a client shows that it receives what is sent to its address.
///
/// The secret is renewed each day (RFC 9018 §5). A cookie says when it was made, and so with which secret: those of the
/// day before hold on for as long as any cookie does. The secrets of all days follow from random numbers of this
/// process, so all workers have the same ones without telling each other. After a restart clients get new cookies.
struct ServerCookies: Sendable {
    /// The version of RFC 9018 in the highest octet, followed by three reserved ones and the time.
    private static let version: UInt64 = 1 << 56
    /// How long a cookie is accepted, in seconds, and how far its time may be ahead (RFC 9018 §4.3).
    private static let lifetime: Int32 = 3600
    private static let leeway: Int32 = 300
    /// From this age on a client gets a new one.
    private static let renewal: Int32 = 1800
    /// How long a secret is used, in seconds.
    private static let secretLifetime: UInt32 = 86_400

    private let root: SipHash.Key

    /// Random secrets.
    init() {
        var random = SystemRandom()
        root = SipHash.Key(low: random.next(), high: random.next())
    }

    /// The answer to a client's cookie.
    ///
    /// - Parameter now: seconds since 1970, modulo 2^32.
    /// - Returns: whether the server cookie in it is valid, and what the client gets.
    func answer(
        _ asked: DNSCookie, from address: IPAddress, now: UInt32
    ) -> (isValid: Bool, cookie: DNSCookie) {
        if let server = asked.server, server.head >> 56 == 1 {
            let time = UInt32(truncatingIfNeeded: server.head)
            // Serial arithmetic: the time may wrap (RFC 9018 §4.3).
            let age = Int32(bitPattern: now &- time)
            if age <= Self.lifetime, age >= -Self.leeway,
                Self.hash(asked.client, server.head, address, secret(at: time)) == server.hash
            {
                return (true, age < Self.renewal ? asked : make(asked.client, address, now))
            }
        }
        return (false, make(asked.client, address, now))
    }

    private func make(_ client: UInt64, _ address: IPAddress, _ now: UInt32) -> DNSCookie {
        let head = Self.version | UInt64(now)
        let hash = Self.hash(client, head, address, secret(at: now))
        return DNSCookie(client: client, server: DNSCookie.Server(head: head, hash: hash))
    }

    /// The secret of the day that a time is in.
    func secret(at time: UInt32) -> SipHash.Key {
        func half(_ number: UInt64) -> UInt64 {
            var hash = SipHash(key: root, compressionRounds: 2, finalizationRounds: 4)
            hash.combine(UInt64(time / Self.secretLifetime))
            hash.combine(number)
            return hash.finalize()
        }
        return SipHash.Key(low: half(0), high: half(1))
    }

    /// The hash of a server cookie (RFC 9018 §4.4).
    static func hash(_ client: UInt64, _ head: UInt64, _ address: IPAddress, _ secret: SipHash.Key) -> UInt64 {
        // SipHash takes octets in the other order than the network.
        var hash = SipHash(key: secret, compressionRounds: 2, finalizationRounds: 4)
        hash.combine(client.byteSwapped)
        hash.combine(head.byteSwapped)
        switch address.unmapped {
        case .v4(let bits): return hash.finalize(with: bits.byteSwapped).byteSwapped
        case .v6(let high, let low):
            hash.combine(high.byteSwapped)
            hash.combine(low.byteSwapped)
            return hash.finalize().byteSwapped
        }
    }
}
