import Testing

@testable import ControlPlane

/// When instances without a lease stay. Time is passed in.
@Suite struct EtcdHealthTests {
    private let start = ContinuousClock.now

    @Test func `at the start nothing is held`() {
        var health = EtcdHealth()
        #expect(health.problem != nil && health.isHolding(now: start))
        #expect(health.lagSeconds(now: start) == 0)
        let first = answer(&health, start)
        #expect(first == nil)
        #expect(health.problem == nil && !health.isHolding(now: start))
    }

    /// Etcd has answered, and everything is known.
    private func answer(_ health: inout EtcdHealth, _ time: ContinuousClock.Instant) -> Duration? {
        health.etcd(isAt: 7, askedAt: time)
        health.adopted(upTo: 7)
        return health.succeeded(now: time)
    }

    @Test func `an outage and some time after it hold`() {
        var health = EtcdHealth()
        _ = answer(&health, start)
        // It is reported once.
        let isTold = [health.failed("away"), health.failed("still away")]
        #expect(isTold == [true, false])
        #expect(health.isHolding(now: start + .seconds(60)))
        #expect(health.lagSeconds(now: start + .seconds(60)) == 60)
        let outage = answer(&health, start + .seconds(60))
        #expect(outage == .seconds(60))
        #expect(health.lagSeconds(now: start + .seconds(60.9)) == 0)
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

    @Test func `what is known is as old as the answer whose revision it has reached`() {
        var health = EtcdHealth()
        _ = answer(&health, start)
        // Etcd answers all the time, but the changes of others do not arrive.
        for seconds in 1...9 {
            health.etcd(isAt: 7 + Int64(seconds), askedAt: start + .seconds(seconds))
            _ = health.succeeded(now: start + .seconds(seconds))
        }
        #expect(health.problem == nil)
        #expect(health.lagSeconds(now: start + .seconds(4)) == 4)
        #expect(health.complaint(now: start + .seconds(4)) == nil)
        #expect(health.lagSeconds(now: start + .seconds(9)) == 9)
        #expect(health.complaint(now: start + .seconds(9))?.contains("9 s") == true)
        // Knowing a part is not enough for more than that part.
        health.adopted(upTo: 8)
        #expect(health.lagSeconds(now: start + .seconds(9)) == 8)
        health.etcd(isAt: 16, askedAt: start + .seconds(9))
        health.adopted(upTo: 16)
        #expect(health.lagSeconds(now: start + .seconds(9.5)) == 0)
        #expect(health.complaint(now: start + .seconds(9.5)) == nil)
    }

    @Test func `a history that begins anew has nothing to wait for of the one before`() {
        var health = EtcdHealth()
        _ = answer(&health, start)
        health.etcd(isAt: 1000, askedAt: start + .seconds(1))
        health.adopted(upTo: 3, isNewHistory: true)
        health.etcd(isAt: 3, askedAt: start + .seconds(2))
        #expect(health.lagSeconds(now: start + .seconds(2.5)) == 0)
    }
}
