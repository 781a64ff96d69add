import Testing

@testable import Engine

/// Server cookies by themselves (RFC 9018).
struct ServerCookieTests {
    private let address = IPAddress.v4(0xC000_0201)
    private let cookies = ServerCookies()
    /// Not near the end of a secret's day.
    private let now: UInt32 = 1_800_000_000 / 86_400 * 86_400 + 40_000

    /// RFC 9018, appendix A. Reserved octets count too (A.3).
    @Test(arguments: [
        ("198.51.100.100", "e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "010000005cf79f111f8130c3eee29480"),
        ("198.51.100.100", "e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "010000005cf7a871d4a564a1442aca77"),
        ("203.0.113.203", "e5e973e5a6b2a43f48e7dc849e37bfcf", "fc93fc62807ddb86", "01abcdef5cf78f71a314227b6679ebf5"),
        ("203.0.113.203", "e5e973e5a6b2a43f48e7dc849e37bfcf", "fc93fc62807ddb86", "010000005cf7a9acf73a7810aca2381e"),
        (
            "2001:db8:220:1:59de:d0f4:8769:82b8", "dd3bdf9344b678b185a6f5cb60fca715", "22681ab97d52c298",
            "010000005cf7c57926556bd0934c72f8"
        ),
        (
            "2001:db8:220:1:59de:d0f4:8769:82b8", "445536bcd2513298075a5d379663c962", "22681ab97d52c298",
            "010000005cf7c609a6bb79d16625507a"
        ),
    ])
    func `the hash is that of the standard's examples`(
        client: String, secret: String, clientCookie: String, serverCookie: String
    ) throws {
        func number(_ text: some StringProtocol) throws -> UInt64 { try #require(UInt64(text, radix: 16)) }
        // SipHash takes the secret in the other order.
        let key = SipHash.Key(
            low: try number(secret.prefix(16)).byteSwapped, high: try number(secret.suffix(16)).byteSwapped)
        let hash = ServerCookies.hash(
            try number(clientCookie), try number(serverCookie.prefix(16)), try #require(IPAddress(client)), key)
        let expected = try number(serverCookie.suffix(16))
        #expect(hash == expected)
    }

    private func made(_ client: UInt64 = 7, at time: UInt32? = nil) -> DNSCookie {
        cookies.answer(DNSCookie(client: client, server: nil), from: address, now: time ?? now).cookie
    }

    @Test func `a cookie is valid for its client and address alone`() throws {
        let cookie = made()
        let server = try #require(cookie.server)
        #expect(server.head == 1 << 56 | UInt64(now))
        #expect(cookies.answer(cookie, from: address, now: now).isValid)
        func isValid(_ cookie: DNSCookie, _ address: IPAddress) -> Bool {
            let answer = cookies.answer(cookie, from: address, now: now)
            // Whatever came, the client gets a cookie that holds.
            #expect(cookies.answer(answer.cookie, from: address, now: now).isValid)
            #expect(answer.cookie.client == cookie.client)
            return answer.isValid
        }
        #expect(!isValid(cookie, .v4(0xC000_0202)) && !isValid(cookie, .v6(1, 1)))
        #expect(isValid(cookie, .v6(0, 0xFFFF_C000_0201)))
        #expect(!isValid(DNSCookie(client: 8, server: server), address))
        for bit: UInt64 in 0..<64 {
            var other = server
            other.head ^= 1 << bit
            #expect(!isValid(DNSCookie(client: 7, server: other), address))
            other = server
            other.hash ^= 1 << bit
            #expect(!isValid(DNSCookie(client: 7, server: other), address))
        }
        #expect(!ServerCookies().answer(cookie, from: address, now: now).isValid)
    }

    @Test(arguments: [
        (0, true, false), (1799, true, false), (1800, true, true), (3600, true, true), (3601, false, true),
        (-300, true, false), (-301, false, true),
    ])
    func `a cookie holds for an hour and is renewed after half of it`(age: Int, isValid: Bool, isRenewed: Bool) {
        let times: [UInt32] = [now, 86_400 * 20_000 + 10, 100, UInt32.max - 100]
        for time in times {
            let cookie = made(at: time)
            let later = time &+ UInt32(truncatingIfNeeded: age)
            let answer = cookies.answer(cookie, from: address, now: later)
            #expect(answer.isValid == isValid)
            #expect((answer.cookie != cookie) == isRenewed)
            #expect(answer.cookie == cookie || answer.cookie == made(at: later))
        }
    }

    @Test func `each day has its secret, and a cookie holds beyond its end`() {
        let midnight: UInt32 = 86_400 * 20_000
        let (before, after) = (cookies.secret(at: midnight - 1), cookies.secret(at: midnight))
        #expect(before.low != after.low && before.high != after.high && after.low != after.high)
        #expect(cookies.secret(at: midnight + 86_399).low == after.low)
        #expect(cookies.answer(made(at: midnight - 1), from: address, now: midnight + 1000).isValid)
    }
}
