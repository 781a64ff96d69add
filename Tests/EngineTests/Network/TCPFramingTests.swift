import Testing

@testable import Engine

struct TCPFramingTests {
    @Test func `a message is complete when its length and as many octets are there`() {
        #expect(TCPFraming.next(available: 0, prefix: 0) == .incomplete)
        #expect(TCPFraming.next(available: 1, prefix: 0xFFFF) == .incomplete)
        for length in [12, 13, 255, 256, 65535] {
            #expect(TCPFraming.next(available: 2, prefix: UInt16(length)) == .incomplete)
            #expect(TCPFraming.next(available: 1 + length, prefix: UInt16(length)) == .incomplete)
            #expect(TCPFraming.next(available: 2 + length, prefix: UInt16(length)) == .message(byteCount: length))
            #expect(TCPFraming.next(available: 9 + length, prefix: UInt16(length)) == .message(byteCount: length))
        }
    }

    @Test func `a length shorter than a header is invalid at once`() {
        for length in 0..<12 {
            #expect(TCPFraming.next(available: 2, prefix: UInt16(length)) == .invalid)
            #expect(TCPFraming.next(available: 100, prefix: UInt16(length)) == .invalid)
            #expect(TCPFraming.next(available: 1, prefix: UInt16(length)) == .incomplete)
        }
    }
}

struct TCPSessionTests {
    @Test func `a message is taken, then the client is waited for`() {
        var session = TCPSession(maximumQueries: 0)
        #expect(session.next(hasMessage: false, pendingBytes: 0) == .wait)
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
        session.answered()
        #expect(session.next(hasMessage: false, pendingBytes: 100) == .wait)
        #expect(session.queries == 1)
    }

    @Test func `after as many queries as allowed it closes`() {
        var session = TCPSession(maximumQueries: 2)
        for _ in 0..<2 {
            #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
            session.answered()
        }
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .closeWhenSent)
        #expect(session.next(hasMessage: false, pendingBytes: 0) == .closeWhenSent)
    }

    @Test func `without a limit it never closes by itself`() {
        var session = TCPSession(maximumQueries: 0)
        for _ in 0..<1000 {
            session.beginTurn()
            #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
            session.answered()
        }
    }

    @Test func `a half-closed client gets what it asked for, then it closes`() {
        var session = TCPSession(maximumQueries: 0)
        session.endInput()
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
        session.answered()
        #expect(session.next(hasMessage: false, pendingBytes: 50) == .closeWhenSent)
    }

    @Test func `a client that does not read is not answered further`() {
        var session = TCPSession(maximumQueries: 0)
        let limit = TCPSession.maximumPendingBytes
        #expect(session.next(hasMessage: true, pendingBytes: limit) == .take)
        #expect(session.next(hasMessage: true, pendingBytes: limit + 1) == .pause)
        #expect(session.next(hasMessage: false, pendingBytes: limit + 1) == .wait)
        session.endInput()
        #expect(session.next(hasMessage: true, pendingBytes: limit + 1) == .pause)
    }

    @Test func `others have their turn after a stretch of queries`() {
        var session = TCPSession(maximumQueries: 0)
        for _ in 0..<TCPSession.queriesAtOnce {
            #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
            session.answered()
        }
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .yield)
        session.beginTurn()
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
    }

    @Test func `no more queries wait for an upstream than may`() {
        var session = TCPSession(maximumQueries: 0)
        for _ in 0..<TCPSession.maximumOutstanding {
            session.beginTurn()
            #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
            session.deferReply()
            session.answered()
        }
        session.beginTurn()
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .pause)
        // If there is no other query, the session waits, so that it notices the end.
        #expect(session.next(hasMessage: false, pendingBytes: 0) == .wait)
        session.delivered()
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
    }

    @Test func `replies that had no room are made again one by one, before other queries are taken`() {
        var session = TCPSession(maximumQueries: 0)
        let limit = TCPSession.maximumPendingBytes
        #expect(session.hasRoom(pendingBytes: limit) && !session.hasRoom(pendingBytes: limit + 1))
        for _ in 0..<3 { session.deferReply() }
        for _ in 0..<2 { session.postpone() }
        #expect(session.outstanding == 3 && session.postponed == 2)
        #expect(session.next(hasMessage: true, pendingBytes: limit + 1) == .pause)
        #expect(session.next(hasMessage: true, pendingBytes: limit) == .resume)
        session.resume()
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .pause)
        // This reply had no room again.
        session.postpone()
        #expect(session.outstanding == 3 && session.postponed == 2)
        for left in [2, 1] {
            #expect(session.next(hasMessage: true, pendingBytes: 0) == .resume)
            session.resume()
            session.delivered()
            #expect(session.outstanding == left)
        }
        #expect(session.next(hasMessage: true, pendingBytes: 0) == .take)
    }

    @Test func `a half-closed client gets the replies that had no room, then it closes`() {
        var session = TCPSession(maximumQueries: 0)
        session.deferReply()
        session.postpone()
        session.endInput()
        #expect(session.next(hasMessage: false, pendingBytes: 0) == .resume)
        session.resume()
        #expect(session.next(hasMessage: false, pendingBytes: 0) == .pause)
        session.delivered()
        #expect(session.next(hasMessage: false, pendingBytes: 9) == .closeWhenSent)
    }
}
