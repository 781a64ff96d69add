import Foundation
import Testing

@testable import ControlPlane

/// What a node concludes from etcd's answers and reports. Time is passed in.
@Suite struct EtcdSessionTests {
    private let start = ContinuousClock.now
    private let end = AsyncStream.makeStream(of: Never.self).continuation

    /// The answer to a probe.
    private func answer(_ revision: Int64, identity: String = "x") throws -> EtcdResponse {
        let value = Data(identity.utf8).base64EncodedString()
        let text = #"{"header":{"revision":"\#(revision)"},"kvs":[{"key":"aWQ=","value":"\#(value)"}]}"#
        return try EtcdResponse(try JSONParser.parse(Array(text.utf8)))
    }

    /// A node that knows everything up to revision 7, and watches.
    private func watching() -> EtcdSession {
        var session = EtcdSession()
        session.hasRead([], of: "x", at: 7, isWiped: false, deregisteredAt: 0, askedAt: start)
        _ = session.beginWatch(at: "a", end: end, now: start)
        session.establishWatch(now: start)
        return session
    }

    private func judge(
        _ session: inout EtcdSession, _ answer: EtcdResponse, at seconds: Double, endpoint: String = "a"
    ) -> String {
        let now = start + .seconds(seconds)
        switch session.judge(answer, askedAt: now, endpoint: endpoint, timeout: .seconds(30), now: now) {
        case .goOn: return "go on"
        case .change: return "change"
        case .startAnew: return "start anew"
        }
    }

    @Test func `everything is read of another history, or when the watch can't go on`() {
        var session = EtcdSession()
        #expect(session.mustReadAll("x"))
        session.remembers("x", asOf: start)
        #expect(session.mustReadAll("x"))
        session.hasRead([], of: "x", at: 7, isWiped: false, deregisteredAt: 0, askedAt: start)
        #expect(!session.mustReadAll("x") && session.mustReadAll("y"))
        session.losePosition()
        #expect(session.mustReadAll("x"))
    }

    @Test func `a watch begins after what is known`() {
        var session = watching()
        let isHeard = [session.hear([], upTo: 9), session.hear([], upTo: 8)]
        #expect(isHeard == [true, true])
        let revision = session.beginWatch(at: "a", end: end, now: start)
        #expect(revision == 10)
        #expect(!session.isWatching)
        session.establishWatch(now: start)
        #expect(session.isWatching)
        session.endWatch()
        #expect(!session.isWatching)
    }

    @Test func `what there is no room for is read instead`() {
        var session = watching()
        let change = EtcdChange.missing(InstanceKey(name: "a", id: "b"), revision: 8)
        var count = 0
        while session.hear(Array(repeating: change, count: 65_536), upTo: Int64(8 + count)) { count += 1 }
        #expect(count == 4)
        #expect(session.mustReadAll("x"))
        // This node's own findings are still accepted, and everything comes in order.
        session.learn(.findings([], history: 0))
        let news = session.takeNews()
        #expect(news.count == 6)
        if case .findings? = news.last {} else { Issue.record("\(news.count)") }
        #expect(session.takeNews().isEmpty)
    }

    @Test func `that etcd has lost its data is not forgotten when everything is read once more`() {
        var session = watching()
        session.hasRead([], of: "y", at: 3, isWiped: true, deregisteredAt: 0, askedAt: start)
        session.hasRead([], of: "y", at: 4, isWiped: false, deregisteredAt: 0, askedAt: start)
        let news = session.takeNews()
        if case .everything(_, 4, true, _)? = news.first, news.count == 1 {} else { Issue.record("\(news)") }
    }

    @Test func `a watch that keeps up goes on`() throws {
        var session = watching()
        for second in 1...60 {
            #expect(judge(&session, try answer(7), at: Double(second)) == "go on")
        }
        #expect(session.isWatching)
    }

    @Test func `a watch that stays behind is put to the test, and then made anew`() throws {
        var session = watching()
        let steps = try [0.5, 1, 1.6, 2, 3, 4.6].map { judge(&session, try answer(8), at: $0) }
        #expect(steps == ["go on", "go on", "change", "go on", "go on", "start anew"])
        // It is not healthy until another watch has begun.
        #expect(!session.isWatching)
    }

    @Test func `a watch is made anew of another history, at another member, or after a failure`() throws {
        var other = watching()
        #expect(judge(&other, try answer(7, identity: "y"), at: 1) == "start anew")
        var elsewhere = watching()
        #expect(judge(&elsewhere, try answer(7), at: 1, endpoint: "b") == "start anew")
        var failed = watching()
        failed.probeHasFailed(now: start + .seconds(1))
        #expect(judge(&failed, try answer(7), at: 2) == "start anew")
        _ = failed.beginWatch(at: "a", end: end, now: start + .seconds(3))
        failed.establishWatch(now: start + .seconds(3))
        #expect(judge(&failed, try answer(7), at: 4) == "go on")
    }

    @Test func `a watch that does not begin is made anew`() throws {
        var session = watching()
        _ = session.beginWatch(at: "a", end: end, now: start)
        #expect(judge(&session, try answer(7), at: 4.9) == "go on")
        #expect(judge(&session, try answer(7), at: 5.1) == "start anew")
        session.endWatch()
        #expect(judge(&session, try answer(7), at: 60) == "go on")
    }

    @Test func `while changes are refused each probe tries one`() throws {
        var session = watching()
        let isNews = [session.health.refused("no space"), session.health.refused("no space")]
        #expect(isNews == [true, false])
        _ = session.health.succeeded(now: start)
        for second in 1...3 { #expect(judge(&session, try answer(7), at: Double(second)) == "change") }
        #expect(session.health.complaint(now: start + .seconds(3)) == "no space")
        let isOver = [session.health.changed(), session.health.changed()]
        #expect(isOver == [true, false])
        #expect(judge(&session, try answer(7), at: 4) == "go on")
    }
}
