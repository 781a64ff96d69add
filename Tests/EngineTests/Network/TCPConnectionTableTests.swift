import Testing

@testable import Engine

/// Which clients may open a connection, and which connection gives way, without sockets.
struct TCPConnectionTableTests {
    private typealias Table = TCPConnectionTable.Clients

    private func table(_ all: Int, _ client: Int) -> Table {
        Table(limits: TCPLimits(maximumConnections: all, maximumPerClient: client))
    }

    private func time(_ milliseconds: Int64) -> MonotonicTime {
        MonotonicTime(nanoseconds: 1_000_000_000_000) + .milliseconds(milliseconds)
    }

    /// Opens a connection that has asked something, and got its answer at `milliseconds`.
    private func openIdle(_ client: IPAddress, since milliseconds: Int64, in table: inout Table) throws -> TCPActivity {
        guard case .admitted(let activity) = table.admit(client, -1, now: time(milliseconds)) else {
            throw TestFailure("not admitted")
        }
        activity.note(.idle, now: time(milliseconds))
        return activity
    }

    @Test func `clients without a connection are forgotten`() throws {
        var table = table(20_000, 1)
        var opened: [TCPActivity] = []
        for number in 0..<10_000 {
            opened.append(try openIdle(.ten(number), since: 0, in: &table))
            opened[number].note(.busy, now: time(0))
            if case .waits = table.admit(.ten(number), -1, now: time(0)) {} else { Issue.record("does not wait") }
        }
        #expect(table.clientCount == 10_000 && table.count == 20_000)
        for activity in opened {
            table.remove(activity)
            table.removeWaiting(activity.client)
        }
        #expect(table.clientCount == 0 && table.count == 0)
    }

    @Test func `the connection idle longest gives way, whoever opened it and in whatever order used`() throws {
        var table = table(200, 200)
        var order = Array(0..<200)
        var random = SeededRandom(4)
        order.shuffle(using: &random)
        // Each is idle since a different time. They belong to three clients.
        var opened: [(Int, TCPActivity)] = []
        for since in order {
            opened.append((since, try openIdle(.ten(since % 3), since: Int64(since), in: &table)))
        }
        for round in 0..<100 {
            let new = try openIdle(.ten(9), since: Int64(1000 + round), in: &table)
            new.note(.busy, now: time(1000))
            #expect(table.count == 200)
            // A connection that is used meanwhile is not the next to give way.
            if round == 40 { opened.first { $0.0 == 41 }?.1.note(.idle, now: time(2000)) }
        }
        let left = Set(opened.map(\.0)).subtracting(0..<101).union([41])
        for (since, activity) in opened {
            #expect(table.remove(activity) == left.contains(since), "\(since)")
        }
    }

    @Test(arguments: [(1, 10), (10, 1)])
    func `at a limit a connection with a query unread or unanswered never gives way`(all: Int, client: Int) throws {
        var table = table(all, client)
        let first = try openIdle(.ten(1), since: 0, in: &table)
        func isAdmitted(after milliseconds: Int64) -> Bool {
            var copy = table
            if case .admitted = copy.admit(.ten(1), -1, now: time(milliseconds)) { return true }
            return false
        }
        first.note(.busy, now: time(0))
        #expect(!isAdmitted(after: 3_600_000))
        // A connection that was just opened gets time to ask. One whose client does not read gets a little time to
        // read.
        first.note(.new, now: time(0))
        #expect(!isAdmitted(after: 249) && isAdmitted(after: 250))
        first.note(.sending, now: time(0))
        #expect(!isAdmitted(after: 1999) && isAdmitted(after: 2000))
        first.note(.idle, now: time(0))
        #expect(isAdmitted(after: 0))
    }

    @Test func `a client's connections wait up to the limit, and are admitted when one of its own is idle`() throws {
        var table = table(1000, 2)
        let open = try (0..<2).map { _ in try openIdle(.ten(1), since: 0, in: &table) }
        for activity in open { activity.note(.busy, now: time(0)) }
        for _ in 0..<TCPConnectionTable.maximumWaiting {
            guard case .waits = table.admit(.ten(1), -1, now: time(1)) else { throw TestFailure("does not wait") }
        }
        guard case .refused = table.admit(.ten(1), -1, now: time(1)) else { throw TestFailure("is not refused") }
        // Other clients are not affected.
        _ = try openIdle(.ten(2), since: 1, in: &table)
        #expect(table.admitWaiting(.ten(1), -1, now: time(1)) == nil)
        open[1].note(.idle, now: time(2))
        // The waiting connections go first.
        guard case .refused = table.admit(.ten(1), -1, now: time(3)) else { throw TestFailure("overtakes") }
        #expect(table.admitWaiting(.ten(1), -1, now: time(3)) != nil)
        #expect(table.admitWaiting(.ten(1), -1, now: time(3)) == nil)
        #expect(table.count == 3 + TCPConnectionTable.maximumWaiting - 1)
    }

    @Test func `a waiting connection goes first also when a connection of its client is closed`() throws {
        var table = table(1000, 1)
        let open = try openIdle(.ten(1), since: 0, in: &table)
        open.note(.busy, now: time(0))
        for _ in 0..<2 {
            guard case .waits = table.admit(.ten(1), -1, now: time(1)) else { throw TestFailure("does not wait") }
        }
        table.remove(open)
        guard case .waits = table.admit(.ten(1), -1, now: time(2)) else { throw TestFailure("overtakes") }
        guard let next = table.admitWaiting(.ten(1), -1, now: time(3)) else { throw TestFailure("not admitted") }
        #expect(table.count == 3 && table.clientCount == 1)
        // A waiting connection is not forgotten if its client has no other.
        table.remove(next)
        #expect(table.admitWaiting(.ten(1), -1, now: time(4)) != nil)
        #expect(table.count == 2 && table.clientCount == 1)
    }

    @Test func `when all are busy, nobody is counted`() throws {
        var table = table(2, 1)
        for number in 1...2 { try openIdle(.ten(number), since: 0, in: &table).note(.busy, now: time(0)) }
        for client in [1, 3] {
            guard case .allAreBusy = table.admit(.ten(client), -1, now: time(9)) else { throw TestFailure("counted") }
        }
        #expect(table.count == 2 && table.clientCount == 2)
    }
}
