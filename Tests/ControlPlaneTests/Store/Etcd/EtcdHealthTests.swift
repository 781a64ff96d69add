import Testing

@testable import ControlPlane

/// When instances without a lease stay: the time is passed in.
@Suite struct EtcdHealthTests {
    private let start = ContinuousClock.now

    @Test func `at the start nothing is held`() {
        var health = EtcdHealth()
        #expect(health.problem != nil && health.isHolding(now: start))
        #expect(health.lagSeconds(now: start) == 0)
        let first = health.succeeded(now: start)
        #expect(first == nil)
        #expect(health.problem == nil && !health.isHolding(now: start))
    }

    @Test func `an outage and some time after it hold`() {
        var health = EtcdHealth()
        _ = health.succeeded(now: start)
        // Told once.
        let isTold = [health.failed("away"), health.failed("still away")]
        #expect(isTold == [true, false])
        #expect(health.isHolding(now: start + .seconds(60)))
        #expect(health.lagSeconds(now: start + .seconds(60)) == 60)
        let outage = health.succeeded(now: start + .seconds(60))
        #expect(outage == .seconds(60))
        #expect(health.lagSeconds(now: start + .seconds(61)) == 0)
        let end = start + .seconds(60) + EtcdHealth.holdTime
        for seconds in stride(from: 60.5, through: 63.5, by: 0.5) {
            _ = health.succeeded(now: start + .seconds(seconds))
        }
        #expect(health.isHolding(now: end - .milliseconds(1)))
        #expect(!health.isHolding(now: end))
    }

    @Test func `answers that come late are as an outage`() {
        var health = EtcdHealth()
        _ = health.succeeded(now: start)
        #expect(!health.isHolding(now: start + .seconds(1.5)))
        #expect(health.isHolding(now: start + .seconds(1.6)))
        let outage = health.succeeded(now: start + .seconds(2))
        #expect(outage == nil)
        #expect(health.isHolding(now: start + .seconds(2.1)))
    }
}
