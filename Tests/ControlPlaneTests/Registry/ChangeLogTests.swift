import Logging
import Testing

@testable import ControlPlane

/// What the log says when instances leave DNS and come back.
@Suite struct ChangeLogTests {
    private func line(
        _ change: (inout RegisteredInstance) -> Void, from before: (inout RegisteredInstance) -> Void = { _ in },
        because reason: ChangeReason = .request
    ) -> String? {
        var old = RegisteredInstance.test(1)
        old.instance.checks = [.test("c")]
        before(&old)
        var new = old
        change(&new)
        return ChangeLine(InstanceChange(index: 1, old: old, new: new, reason: reason)).map { line in
            let metadata = line.metadata.filter { ["status", "reason", "output"].contains($0.key) }
            return ([line.message] + metadata.sorted { $0.key > $1.key }.map { "\($0)=\($1)" }).joined(separator: ", ")
        }
    }

    @Test func `each line says what has become of an instance, and why`() {
        let now = WallTime(millisecondsSince1970: 0)
        #expect(line { $0.instance.isDraining = true } == "instance is drained, reason=request")
        let back = line({ $0.instance.isDraining = false }, from: { $0.instance.isDraining = true })
        #expect(back == "instance is not drained any more, reason=request")
        let failed = line(
            { _ = $0.instance.adopt(CheckReport(name: "c", status: .critical, output: "HTTP 503", time: now)) },
            because: .check("c"))
        #expect(failed == "instance has another status, status=critical, reason=check c, output=HTTP 503")
        #expect(line({ $0.instance.weight = 7 }) == nil)
        let instance = RegisteredInstance.test(1)
        let expired = ChangeLine(InstanceChange(index: 1, old: instance, new: nil, reason: .expired))
        #expect(expired?.message == "instance expired" && expired?.metadata["id"] == "i1")
        #expect(expired?.metadata["reason"] == "no heartbeat for 30 s")
        #expect(ChangeLine(InstanceChange(index: 1, old: instance, new: nil)) == nil)
        #expect(ChangeLine(InstanceChange(index: 1, old: nil, new: instance)) == nil)
    }

    @Test func `a hundred lines a second are written, and the others counted`() {
        let now = ContinuousClock.now
        var limit = LineLimit()
        var answers: [LineLimit.Answer] = []
        for _ in 0..<103 { answers.append(limit.take(now: now)) }
        #expect(answers.prefix(100).allSatisfy { $0 == .written })
        #expect(answers.suffix(3) == [.firstLeft, .left, .left])
        #expect(limit.takeLeft() == 3 && limit.takeLeft() == 0)
        #expect(limit.take(now: now) == .written)
        for _ in 0..<99 { _ = limit.take(now: now) }
        #expect(limit.take(now: now.advanced(by: .seconds(1))) == .written)
    }
}
