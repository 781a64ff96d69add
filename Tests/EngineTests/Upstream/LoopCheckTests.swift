import Testing

@testable import Engine

/// Whether an upstream leads back to this server. Pure, without a clock or a socket.
struct LoopCheckTests {
    @Test func `each number has its name, and no other name is that of a number`() throws {
        for number in [UInt64(0), 1, 0x0123_4567_89AB_CDEF, .max] {
            #expect(LoopName.number(of: LoopName.make(number)) == number)
        }
        #expect(LoopName.make(0xAB) == (try wireName("00000000000000ab.loop.kong-discovery.internal")))
        for name in [
            "", "loop.kong-discovery.internal", "0000000000000xab.loop.kong-discovery.internal",
            "000000000000ab.loop.kong-discovery.internal", "a.00000000000000ab.loop.kong-discovery.internal",
            "00000000000000ab.loop.kong-discovery.internam", "www.example.com",
        ] {
            #expect(LoopName.number(of: name.isEmpty ? [0] : try wireName(name)) == nil, "\(name)")
        }
    }

    private func began(_ number: UInt64, _ check: LoopCheck = LoopCheck()) -> LoopCheck {
        var check = check
        let isBegun = check.begin(number)
        #expect(isBegun)
        return check
    }

    private func returned(_ number: UInt64, to check: inout LoopCheck, _ expected: Bool = true) {
        let isOurs = check.returned(number)
        #expect(isOurs == expected)
    }

    @Test func `an upstream leads back from when its query comes back until one is answered that has not`() {
        #expect(LoopCheck().isDue)
        var check = began(1)
        let isBegunTwice = check.begin(2)
        #expect(!isBegunTwice && !check.isDue && !check.leadsBack)
        returned(2, to: &check, false)
        #expect(!check.leadsBack)
        returned(1, to: &check)
        // The answer to a query that came back says nothing.
        check.end(isAnswered: true)
        #expect(check.leadsBack && check.isDue)
        for number in UInt64(2)..<5 {
            check = began(number, check)
            returned(number, to: &check)
            check.end(isAnswered: number % 2 == 0)
            #expect(check.leadsBack)
        }
        check = began(5, check)
        check.end(isAnswered: true)
        #expect(!check.leadsBack && !check.isDue)
    }

    @Test func `an upstream that does not answer probes no longer leads back after some in a row have not come back`() {
        var check = began(1)
        returned(1, to: &check)
        check.end(isAnswered: false)
        check = began(2, check)
        check.end(isAnswered: false)
        #expect(check.leadsBack)
        check = began(3, check)
        returned(3, to: &check)
        check.end(isAnswered: false)
        for number in UInt64(0)..<UInt64(LoopCheck.maximumSilence) {
            #expect(check.leadsBack)
            check = began(4 + number, check)
            check.end(isAnswered: false)
        }
        #expect(!check.leadsBack)
        // A query that comes back late counts all the same.
        returned(5, to: &check)
        #expect(check.leadsBack)
    }
}
