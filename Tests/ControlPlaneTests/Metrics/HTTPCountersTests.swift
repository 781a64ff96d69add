import Testing

@testable import ControlPlane

@Suite struct HTTPCountersTests {
    @Test func `answers are counted by endpoint and code, and times only where they say something`() {
        let counters = HTTPCounters(endpoints: 2)
        counters.noteAnswer(endpoint: 0, code: 200, duration: .milliseconds(2))
        counters.noteAnswer(endpoint: 0, code: 200, duration: nil)
        counters.noteAnswer(endpoint: 0, code: 404, duration: .milliseconds(2))
        counters.noteAnswer(endpoint: nil, code: 404, duration: nil)
        // What no server should answer, and a place that no table has.
        counters.noteAnswer(endpoint: 1, code: 99, duration: nil)
        counters.noteAnswer(endpoint: 1, code: 6000, duration: nil)
        counters.noteAnswer(endpoint: 99, code: 405, duration: nil)
        let first = counters.answers(endpoint: 0)
        #expect(first.byCode.map(\.code) == [200, 404] && first.byCode.map(\.count) == [2, 1])
        #expect(first.durations.count == 2)
        #expect(counters.answers(endpoint: 1).byCode.map(\.code) == [100, 599])
        #expect(counters.answers(endpoint: nil).byCode.map(\.code) == [404, 405])
    }
}
