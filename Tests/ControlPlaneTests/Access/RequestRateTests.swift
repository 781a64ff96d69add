import Engine
import HTTPTypes
import Testing

@testable import ControlPlane

/// How many requests an address may make in a second.
struct RequestRateTests {
    private let client = IPAddress.v4(0x0A00_0001)
    private let start = ContinuousClock.Instant.now

    @Test func `as many as a second allows may come at once, and the next when one is over`() {
        var rate = RequestRate()
        for _ in 0..<5 { #expect(rate.take(client, perSecond: 5, now: start) == nil) }
        #expect(rate.take(client, perSecond: 5, now: start) == .milliseconds(200))
        // What is refused does not count.
        #expect(rate.take(client, perSecond: 5, now: start + .milliseconds(150)) == .milliseconds(50))
        #expect(rate.take(client, perSecond: 5, now: start + .milliseconds(200)) == nil)
        #expect(rate.take(client, perSecond: 5, now: start + .milliseconds(200)) == .milliseconds(200))
    }

    @Test func `a long quiet time gives no more than a second's worth`() {
        var rate = RequestRate()
        #expect(rate.take(client, perSecond: 2, now: start) == nil)
        let later = start + .seconds(3600)
        let allowed = (0..<10).filter { _ in rate.take(client, perSecond: 2, now: later) == nil }
        #expect(allowed.count == 2)
    }

    @Test func `over any time there are as many as allowed, and one second's worth`() {
        var rate = RequestRate()
        let allowed = (0..<10_000).filter { step in
            rate.take(client, perSecond: 100, now: start + .milliseconds(step)) == nil
        }
        #expect((1000...1100).contains(allowed.count))
    }

    @Test func `the lowest and the highest limit`() {
        var rate = RequestRate()
        #expect(rate.take(client, perSecond: 1, now: start) == nil)
        #expect(rate.take(client, perSecond: 1, now: start) == .seconds(1))
        var fast = RequestRate()
        let allowed = (0..<1_000_001).filter { _ in fast.take(client, perSecond: 1_000_000, now: start) == nil }
        #expect(allowed.count == 1_000_000)
    }

    @Test func `one address takes nothing from another`() {
        var rate = RequestRate()
        #expect(rate.take(client, perSecond: 1, now: start) == nil)
        #expect(rate.take(.v4(0x0A00_0002), perSecond: 1, now: start) == nil)
        #expect(rate.take(client, perSecond: 1, now: start) != nil)
    }

    @Test func `more addresses than are remembered are not limited, and nobody is forgotten for them`() {
        var rate = RequestRate()
        for number in 0..<RequestRate.maximumClients {
            #expect(rate.take(.v4(UInt32(number)), perSecond: 1, now: start) == nil)
        }
        let other = IPAddress.v4(0xFFFF_FFFE)
        for _ in 0..<3 { #expect(rate.take(other, perSecond: 1, now: start) == nil) }
        #expect(rate.take(.v4(0), perSecond: 1, now: start) != nil)
        // A second later all have their credit again, so there is room.
        let later = start + .seconds(1)
        #expect(rate.take(other, perSecond: 1, now: later) == nil)
        #expect(rate.take(other, perSecond: 1, now: later) != nil)
    }
}

/// What the API does with it.
struct RequestLimitTests {
    private let body = #"{"name":"orders","ip":"10.0.0.1","port":80,"id":"a"}"#

    private func api(_ perSecond: Int) -> TestAPI {
        var api = TestAPI()
        let limiter = RequestLimiter(time: api.test.clock.source)
        limiter.requestsPerSecond = perSecond
        api.handler.limiter = limiter
        return api
    }

    @Test func `above the limit is 429, which says when to come again`() async throws {
        let api = api(2)
        try await api.test.running {
            #expect(try await api.send(.post, "/api/v1/services", body).status == 201)
            #expect(try await api.send(.get, "/api/v1/services").status == 200)
            let answer = try await api.send(.post, "/api/v1/services", body)
            #expect(answer.status == 429)
            #expect(answer.contentType == "application/problem+json")
            #expect(answer.fields[.retryAfter] == "1")
            #expect(
                answer["detail"]?.text
                    == "this address may make 2 requests a second (server.rate_limit.requests_per_second)")
            #expect(try await api.send(.get, "/api/v1/services", from: .v4(0x7F00_0002)).status == 200)
            api.test.clock.advance(by: .milliseconds(500))
            #expect(try await api.send(.get, "/api/v1/services").status == 200)
            #expect(api.handler.limiter.refusedCount(.requests) == 1)
            #expect(api.handler.limiter.refusedCount(.heartbeats) == 0)
        }
    }

    @Test func `an IPv4 client is the same one over IPv6`() async throws {
        let api = api(1)
        try await api.test.running {
            #expect(try await api.send(.get, "/api/v1/services", from: .v4(0x7F00_0001)).status == 200)
            let mapped = try #require(IPAddress("::ffff:127.0.0.1"))
            #expect(try await api.send(.get, "/api/v1/services", from: mapped).status == 429)
        }
    }

    @Test func `registrations take no heartbeats away, and heartbeats no registrations`() async throws {
        let api = api(3)
        try await api.test.running {
            #expect(try await api.send(.post, "/api/v1/services", body).status == 201)
            while try await api.send(.post, "/api/v1/services", body).status != 429 {}
            #expect(try await api.send(.put, "/api/v1/services/a/heartbeat").status == 200)
            #expect(try await api.send(.post, "/api/v1/heartbeats", #"{"ids":["a"]}"#).status == 200)
            // There is no such check, which is not what counts here.
            let report = #"{"status":"passing"}"#
            #expect(try await api.send(.put, "/api/v1/services/a/checks/alive", report).status == 404)
            let answer = try await api.send(.put, "/api/v1/services/a/heartbeat")
            #expect(answer.status == 429)
            #expect(
                answer["detail"]?.text
                    == "this address may make 3 heartbeats a second (server.rate_limit.requests_per_second)")
        }
    }

    @Test func `wrong paths, methods and tokens count too; probes of a load balancer never`() async throws {
        let access = AccessControl()
        access.adopt(TokenTable([]))
        var api = TestAPI(access: access)
        let limiter = RequestLimiter(time: api.test.clock.source)
        limiter.requestsPerSecond = 3
        api.handler.limiter = limiter
        #expect(try await api.send(.get, "/nothing").status == 404)
        #expect(try await api.send(.delete, "/api/v1/services").status == 405)
        #expect(try await api.send(.get, "/api/v1/services").status == 401)
        for (method, path) in [(.get, "/nothing"), (.delete, "/api/v1/services"), (.get, "/api/v1/services")]
            as [(HTTPRequest.Method, String)]
        {
            #expect(try await api.send(method, path).status == 429)
        }
        #expect(try await api.send(.get, "/healthz").status == 200)
        #expect(try await api.send(.get, "/ready").status != 429)
    }

    @Test func `0 is no limit, and another limit holds at once`() async throws {
        let api = api(0)
        let limiter = api.handler.limiter
        try await api.test.running { () async throws in
            for _ in 0..<50 { #expect(try await api.send(.get, "/api/v1/services").status == 200) }
            limiter.requestsPerSecond = 1
            #expect(try await api.send(.get, "/api/v1/services").status == 200)
            #expect(try await api.send(.get, "/api/v1/services").status == 429)
            limiter.requestsPerSecond = 0
            #expect(try await api.send(.get, "/api/v1/services").status == 200)
        }
    }
}
