import Engine
import Testing

@testable import ControlPlane

/// Which instances names have had last, and when that is forgotten.
@Suite struct LastKnownTests {
    private let clock = TestClock()
    private let names = ["orders", "_orders._tcp", "blue.orders"]

    private func instance(_ number: UInt64, tags: [String] = ["blue"], port: UInt16 = 80) -> RegisteredInstance {
        RegisteredInstance(.test(number, ip: "10.0.0.\(number)", port: port, tags: tags))
    }

    private func numbers(_ known: LastKnown, _ part: ServicePart = .whole) -> [UInt64] {
        known.members(of: part, in: "orders").map(\.registered.instance.sequence)
    }

    @Test func `a name has those that went with its last one, and not those that went long before`() {
        var known = LastKnown()
        known.departed(instance(1), isRegistered: false, now: clock.now)
        clock.advance(by: .seconds(20))
        known.departed(instance(2, tags: []), isRegistered: true, now: clock.now)
        clock.advance(by: .seconds(11))
        known.prune(now: clock.now.monotonic)
        known.departed(instance(3), isRegistered: false, now: clock.now)
        known.begin(names + ["red.orders"], of: "orders", now: clock.now)
        #expect(numbers(known) == [2, 3] && numbers(known, .tag("blue")) == [3])
        #expect(known.term(of: .tag("red"), in: "orders") == nil && known.memberCount == 2)
        // It ends by itself, for all names at once.
        #expect(known.nextEnd == clock.now.monotonic + LastKnown.duration)
        clock.advance(by: LastKnown.duration)
        #expect(known.takeDue(now: clock.now.monotonic, limit: 2).count == 2)
        #expect(known.takeDue(now: clock.now.monotonic, limit: 2).count == 1)
        #expect(known.isEmpty && known.memberCount == 0 && known.nextEnd == nil)
    }

    @Test func `who comes back or is taken out is forgotten, and his names change`() {
        var known = LastKnown()
        for number in 1...3 as ClosedRange<UInt64> {
            known.departed(instance(number), isRegistered: number > 1, now: clock.now)
        }
        known.begin(names, of: "orders", now: clock.now)
        #expect(known.takeChanged(of: "orders").isEmpty)
        known.forget(id: "i2")
        #expect(numbers(known) == [1, 2, 3], "a registered one is not an expired one")
        known.forget(id: "i1")
        known.forget(instance(3).instance)
        #expect(numbers(known) == [2] && known.takeChanged(of: "orders").count == 3)
        known.forgetExpired { _ in true }
        #expect(numbers(known) == [2])
        #expect(known.end("orders") == (instances: 1, names: 0) && known.takeChanged(of: "orders").count == 3)
        #expect(known.isEmpty)
    }

    @Test(arguments: ["i1", "i9"]) func `who runs again is not doubled`(id: String) {
        var known = LastKnown()
        known.departed(instance(1), isRegistered: false, now: clock.now)
        known.departed(instance(2), isRegistered: false, now: clock.now)
        known.begin(names, of: "orders", now: clock.now)
        // In another service: its endpoint is not that of this one any more.
        var moved = instance(9)
        moved.instance.id = id
        moved.instance.name = "users"
        moved.instance.address = instance(1).instance.address
        known.supersede(by: moved)
        #expect(numbers(known) == [2])
        // Here, but not healthy yet: it takes the place of what it was.
        var again = instance(10)
        again.instance.address = instance(2).instance.address
        again.instance.checks = [.test("web", initial: .critical)]
        known.supersede(by: again)
        #expect(numbers(known) == [10])
        let policy = RecordPolicy(answersLastKnown: true)
        let content = known.contents(of: [.whole], in: "orders", policy)[.whole]
        guard case .records(let sets) = content else {
            Issue.record("\(String(describing: content))")
            return
        }
        #expect(sets.map(\.records.count) == [1, 1])
    }

    @Test func `an endpoint that several services share says nothing about the others`() {
        var known = LastKnown()
        for service in ["orders", "users"] {
            var gone = instance(service == "orders" ? 1 : 2)
            gone.instance.name = service
            gone.instance.address = .v4(7)
            known.departed(gone, isRegistered: false, now: clock.now)
            known.begin([service], of: service, now: clock.now)
        }
        var healthy = instance(3)
        healthy.instance.name = "users"
        healthy.instance.address = .v4(7)
        known.supersede(by: healthy)
        #expect(numbers(known) == [1] && known.members(of: .whole, in: "users").isEmpty)
    }

    @Test func `thousands at one endpoint leave as fast as others`() {
        var known = LastKnown()
        for number in 1...50_000 as ClosedRange<UInt64> {
            let gone = RegisteredInstance(.test(number, name: "s\(number)"))
            known.departed(gone, isRegistered: false, now: clock.now)
            known.begin(["s\(number)"], of: "s\(number)", now: clock.now)
        }
        clock.advance(by: LastKnown.duration)
        while !known.takeDue(now: clock.now.monotonic, limit: 10_000).isEmpty {}
        #expect(known.isEmpty && known.memberCount == 0)
    }

    @Test func `an instance that changes while it is known is answered as it is now`() {
        var known = LastKnown()
        known.departed(instance(1), isRegistered: true, now: clock.now)
        known.begin(names, of: "orders", now: clock.now)
        _ = known.takeChanged(of: "orders")
        known.update(instance(1, tags: [], port: 81), isRegistered: true)
        #expect(known.takeChanged(of: "orders") == [.whole, .transport(.tcp), .tag("blue")])
        #expect(numbers(known) == [1] && numbers(known, .tag("blue")).isEmpty)
        known.update(instance(7), isRegistered: true)
        #expect(known.memberCount == 1)
    }

    @Test func `instances that come and go again and again take no memory`() {
        var known = LastKnown()
        known.departed(instance(1, tags: ["rare"]), isRegistered: false, now: clock.now)
        known.begin(["rare.orders"], of: "orders", now: clock.now)
        for number in 2...20_000 as ClosedRange<UInt64> {
            clock.advance(by: .milliseconds(100))
            known.prune(now: clock.now.monotonic)
            known.departed(RegisteredInstance(.test(number)), isRegistered: false, now: clock.now)
            if number % 10 == 0 {
                known.begin(["orders"], of: "orders", now: clock.now)
                known.end(.whole, in: "orders")
                known.tidy("orders", now: clock.now.monotonic)
            }
        }
        #expect(known.memberCount <= 302 && numbers(known, .tag("rare")) == [1])
    }

    @Test func `above the limits the oldest leave early`() {
        var known = LastKnown(maximumNames: 3, maximumMembers: 4)
        for number in 1...5 as ClosedRange<UInt64> {
            let gone = RegisteredInstance(.test(number, name: "s\(number)", ip: "10.0.0.\(number)"))
            known.departed(gone, isRegistered: false, now: clock.now)
            known.begin(["s\(number)"], of: "s\(number)", now: clock.now)
            clock.advance(by: .seconds(1))
        }
        #expect(known.isOverfull)
        #expect(known.takeDue(now: clock.now.monotonic, limit: 9).map(\.name.text) == ["s1", "s2"])
        // Those that went with them are forgotten a little later.
        #expect(!known.isOverfull && known.memberCount <= 4)
        // Instances that no name needs go first.
        for number in 6...9 as ClosedRange<UInt64> {
            known.departed(RegisteredInstance(.test(number)), isRegistered: false, now: clock.now)
        }
        #expect(known.memberCount <= 5)
        while known.isOverfull { _ = known.takeDue(now: clock.now.monotonic, limit: 1) }
        #expect(known.memberCount <= 4)
    }
}
