import Engine
import Testing

@testable import ControlPlane

@Suite struct CutOffDetectorTests {
    private let start = ContinuousClock.now

    private func address(_ number: Int) -> IPAddress { .v4(0x0A00_0000 + UInt32(number)) }

    private func detector(share: Double = 0.5, targets: Int, addresses: Int, failing: Int) -> CutOffDetector {
        var detector = CutOffDetector(share: share)
        for target in 0..<targets {
            detector.move(address(target % addresses), from: .uncounted, to: .passing)
            if target < failing { detector.move(address(target % addresses), from: .passing, to: .failing) }
        }
        return detector
    }

    @Test(arguments: [
        (0.5, 10, 3, 6, true), (0.5, 10, 3, 5, false), (0.5, 9, 3, 9, false), (0.5, 10, 2, 10, false),
        (0.5, 1000, 3, 501, true), (0.5, 1000, 1000, 500, false), (1.0, 100, 50, 100, false),
        (0.0, 100, 50, 1, true), (0.2, 10, 10, 3, true), (0.2, 10, 10, 2, false),
    ])
    func `a hold begins above the share`(share: Double, targets: Int, addresses: Int, failing: Int, begins: Bool) {
        var detector = detector(share: share, targets: targets, addresses: addresses, failing: failing)
        #expect(detector.evaluate(now: start) == (begins ? .began(failing: failing, targets: targets) : nil))
        #expect(detector.isHolding == begins)
    }

    @Test func `it ends as soon as fewer fail`() {
        var detector = detector(targets: 10, addresses: 5, failing: 6)
        _ = detector.evaluate(now: start)
        #expect(detector.evaluate(now: start + .seconds(1)) == nil)
        detector.move(address(0), from: .failing, to: .passing)
        #expect(detector.evaluate(now: start + .seconds(2)) == .recovered)
        detector.move(address(0), from: .passing, to: .failing)
        #expect(detector.evaluate(now: start + .seconds(3)) == .began(failing: 6, targets: 10))
    }

    @Test func `it ends after two minutes, and does not begin again before fewer have failed`() {
        var detector = detector(targets: 10, addresses: 5, failing: 6)
        _ = detector.evaluate(now: start)
        #expect(detector.deadline == start + .seconds(120))
        #expect(detector.evaluate(now: start + .milliseconds(119_999)) == nil)
        #expect(detector.evaluate(now: start + .seconds(120)) == .timedOut)
        #expect(!detector.isHolding)
        detector.move(address(9 % 5), from: .passing, to: .failing)
        #expect(detector.evaluate(now: start + .seconds(500)) == nil)
        for target in 0..<2 { detector.move(address(target), from: .failing, to: .passing) }
        #expect(detector.evaluate(now: start + .seconds(501)) == nil)
        for target in 0..<2 { detector.move(address(target), from: .passing, to: .failing) }
        #expect(detector.evaluate(now: start + .seconds(502)) == .began(failing: 7, targets: 10))
    }

    @Test func `targets that are gone do not count, nor do their addresses`() {
        var detector = detector(targets: 12, addresses: 3, failing: 0)
        for target in 0..<12 where target % 3 == 0 { detector.move(address(0), from: .passing, to: .uncounted) }
        for target in 0..<12 where target % 3 != 0 { detector.move(address(target % 3), from: .passing, to: .failing) }
        #expect(detector.evaluate(now: start) == nil, "eight targets at two addresses")
    }
}
