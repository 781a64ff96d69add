import Engine
import Testing

@testable import ControlPlane

/// What the results of checks make of an instance.
@Suite struct CheckRecordTests {
    private let start = WallTime(millisecondsSince1970: 1000)
    private let later = WallTime(millisecondsSince1970: 5000)

    private func report(_ name: String, _ status: CheckStatus, _ output: String = "", at time: WallTime) -> CheckReport
    {
        CheckReport(name: name, status: status, output: output, time: time)
    }

    @Test func `an instance is as its worst check, which begins as it was registered`() {
        var instance = ServiceInstance.test(1)
        #expect(instance.checkStatus == .passing)
        instance.checks = [.test("a"), .test("b", initial: .critical)]
        #expect(instance.checkStatus == .critical)
        #expect(instance.adopt(report("b", .warning, at: start)) == .newStatus)
        #expect(instance.checkStatus == .warning && RegisteredInstance(instance).isHealthy)
        #expect(instance.adopt(report("b", .warning, "still", at: later)) == .sameStatus)
        let result = instance.result(of: instance.checks[1])
        #expect(result.since == start && result.checkedAt == later && result.output == "still")
        #expect(instance.adopt(report("c", .passing, at: later)) == .unknownCheck)
        // A check that is not there any more says nothing.
        instance.checks = [.test("a")]
        #expect(instance.checkStatus == .passing)
    }

    @Test func `a result that is not stored yet counts before the stored one, and draining before all`() {
        var instance = ServiceInstance.test(1)
        instance.checks = [.test("a")]
        _ = instance.adopt(report("a", .critical, at: start))
        var registered = RegisteredInstance(instance)
        #expect(registered.status == .critical)
        registered.health.unstored = [CheckRecord(name: "a", status: .passing, since: later)]
        #expect(registered.status == .passing)
        registered.health = InstanceHealth(unstored: [CheckRecord(name: "a", status: .warning, since: later)])
        #expect(registered.status == .warning)
        registered.instance.isDraining = true
        #expect(registered.status == .draining)
    }

    @Test func `a repeated registration keeps what is known of checks that have stayed the same`() {
        var known = ServiceInstance.test(1)
        known.checks = [.test("a"), .test("b"), .test("c")]
        for name in ["a", "b", "c"] { _ = known.adopt(report(name, .critical, at: start)) }
        var same = ServiceInstance.test(1)
        same.checks = [.test("a"), .test("b", fall: 7)]
        var moved = ServiceInstance.test(1, ip: "10.0.0.2")
        moved.checks = same.checks
        same.keepResults(of: known)
        moved.keepResults(of: known)
        #expect(same.results.map(\.name) == ["a"])
        #expect(moved.results.isEmpty && moved.checkStatus == .passing)
    }

    @Test func `a report is due if the last one seems to come from the future`() {
        var instance = ServiceInstance.test(1)
        instance.checks = [Check(name: "a", kind: .ttl(.seconds(30)))]
        func report(_ seconds: Int) -> CheckReport {
            CheckReport(name: "a", status: .passing, time: start.advanced(bySeconds: seconds), origin: .client)
        }
        _ = instance.adopt(report(3600))
        #expect(instance.isReportDue(report(0)) && instance.isReportDue(report(3610)))
        #expect(!instance.isReportDue(report(3609)))
    }

    @Test func `an output is for people, and short`() {
        #expect(CheckRecord.printable("a\u{0}\nb\u{9F}") == "a  b ")
        #expect(CheckRecord.printable(String(repeating: "ä", count: 300)).utf8.count == 512)
    }

    @Test func `what stands in a store for results is taken as far as it is some`() throws {
        var instance = ServiceInstance.test(1)
        instance.checks = [.test("a"), .test("b")]
        _ = instance.adopt(
            CheckReport(name: "a", status: .critical, output: "HTTP 503", durationMilliseconds: 12, time: start))
        #expect(try StoredInstance.decode(StoredInstance.encode(instance)) == instance)
        let text = """
            [{"name":"a","status":"critical","since_milliseconds":1000,"checked_at_milliseconds":-1},
             {"name":"a","status":"passing","since_milliseconds":1000},
             {"name":"b","status":"ill","since_milliseconds":1000}, {"name":"c","status":"passing"}, 7,
             {"name":"d","status":"passing","since_milliseconds":99999999999999999}]
            """
        let results = StoredRecords.results(try JSONParser.parse(Array(text.utf8)))
        #expect(results == [CheckRecord(name: "a", status: .critical, since: start)])
    }
}

extension Check {
    /// A check that reports come from.
    static func test(_ name: String, fall: Int = 3, initial: CheckStatus = .passing) -> Check {
        var check = Check(name: name, kind: .tcp(port: nil))
        check.fall = fall
        check.initial = initial
        return check
    }
}
