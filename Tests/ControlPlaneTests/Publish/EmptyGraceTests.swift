import Testing

@testable import ControlPlane

/// Which names are in their grace time, and that they leave it.
@Suite struct EmptyGraceTests {
    private let start = ContinuousClock.now

    @Test func `a name is in it for its time, from when it came`() {
        var grace = EmptyGrace(.seconds(30))
        grace.begin(["orders", "_orders._tcp"], of: "orders", now: start)
        grace.begin(["orders", "users"], of: "users", now: start + .seconds(10))
        #expect(grace.contains("orders") && grace.contains("users") && !grace.contains("nobody"))
        #expect(grace.nextEnd == start + .seconds(30))
        #expect(grace.takeDue(now: start + .seconds(30) - .nanoseconds(1), limit: 9).isEmpty)
        let due = grace.takeDue(now: start + .seconds(30), limit: 9)
        #expect(Set(due.map(\.text)) == ["orders", "_orders._tcp"] && due.allSatisfy { $0.service == "orders" })
        #expect(!grace.contains("orders") && grace.contains("users"))
        #expect(grace.takeDue(now: start + .seconds(40), limit: 9).map(\.text) == ["users"])
        #expect(grace.isEmpty && grace.nextEnd == nil && grace.entryCount == 0)
    }

    @Test func `a name that has left and comes again has a whole time`() {
        var grace = EmptyGrace(.seconds(30))
        grace.begin(["orders"], of: "orders", now: start)
        grace.leave("orders")
        #expect(grace.isEmpty)
        grace.begin(["orders"], of: "orders", now: start + .seconds(20))
        #expect(grace.takeDue(now: start + .seconds(30), limit: 9).isEmpty && grace.contains("orders"))
        #expect(grace.takeDue(now: start + .seconds(50), limit: 9).map(\.text) == ["orders"])
    }

    @Test func `no more are taken at once than there may be`() {
        var grace = EmptyGrace(.seconds(1))
        grace.begin((0..<10).map { "s\($0)" }, of: "s", now: start)
        #expect((0..<4).map { _ in grace.takeDue(now: start + .seconds(1), limit: 4).count } == [4, 4, 2, 0])
    }

    @Test func `above the limit those leave early that came first`() {
        var grace = EmptyGrace(.seconds(30), maximum: 3)
        for number in 0..<5 { grace.begin(["s\(number)"], of: "s", now: start + .seconds(number)) }
        #expect(grace.isOverfull)
        #expect(grace.takeDue(now: start + .seconds(5), limit: 9).map(\.text) == ["s0", "s1"])
        #expect(!grace.isOverfull && grace.contains("s2") && !grace.contains("s1"))
    }

    @Test func `names that come and leave again and again take no memory`() {
        var grace = EmptyGrace(.seconds(30))
        for number in 0..<20_000 {
            grace.begin(["s\(number % 10)"], of: "s", now: start + .milliseconds(number))
            grace.leave("s\(number % 10)")
        }
        #expect(grace.isEmpty && grace.entryCount < 2000)
    }

    @Test func `without a time no name is in it`() {
        var grace = EmptyGrace(.zero)
        grace.begin(["orders"], of: "orders", now: start)
        #expect(grace.isEmpty && grace.nextEnd == nil)
    }
}
