import Engine
import Testing

@testable import ControlPlane

/// Which connection gives way when there are too many.
@Suite struct ConnectionTableTests {
    private let client = IPAddress.v4(0x0A00_0001)
    private let other = IPAddress.v4(0x0A00_0002)

    private func admit(
        _ table: inout ConnectionTable, _ client: IPAddress
    ) throws -> (id: ConnectionTable.ID, evicted: ConnectionTable.ID?) {
        guard case .admitted(let id, let evicted) = table.admit(from: client) else { throw Refused() }
        return (id, evicted)
    }

    private struct Refused: Error {}

    /// A call that changes the table must not be inside a macro.
    private func expect<Value: Equatable>(
        _ value: Value, _ expected: Value, at location: SourceLocation = #_sourceLocation
    ) {
        #expect(value == expected, sourceLocation: location)
    }

    @Test func `one that never had a complete request gives way before all others`() throws {
        var table = ConnectionTable(maximum: 3, maximumPerClient: 3)
        let used = try admit(&table, client).id
        let fresh = try admit(&table, client).id
        let fresher = try admit(&table, client).id
        table.begin(used)
        table.end(used)
        expect(try admit(&table, other).evicted, fresh)
        expect(try admit(&table, other).evicted, fresher)
        #expect(table.count == 3)
    }

    @Test func `the one idle longest gives way, and one with a request under way never`() throws {
        var table = ConnectionTable(maximum: 3, maximumPerClient: 3)
        let ids = try (0..<3).map { _ in try admit(&table, client).id }
        for id in ids { table.begin(id) }
        expect(table.admit(from: other), .refused)
        table.end(ids[1])
        table.end(ids[0])
        let first = try admit(&table, other)
        #expect(first.evicted == ids[1])
        table.begin(first.id)
        let second = try admit(&table, other)
        #expect(second.evicted == ids[0])
        table.begin(second.id)
        expect(table.admit(from: other), .refused)
        table.remove(ids[2])
        expect(try admit(&table, other).evicted, nil)
    }

    @Test func `a client at its own limit gives way to itself alone`() throws {
        var table = ConnectionTable(maximum: 10, maximumPerClient: 2)
        let others = try admit(&table, other).id
        let own = try admit(&table, client).id
        _ = try admit(&table, client)
        let third = try admit(&table, client)
        #expect(third.evicted == own)
        table.begin(others)
        table.end(others)
        #expect(table.count == 3)
        expect(try admit(&table, other).evicted, nil)
    }

    @Test func `an order of use is kept over many turns`() throws {
        var table = ConnectionTable(maximum: 8, maximumPerClient: 8)
        var order: [ConnectionTable.ID] = []
        var generator = SplitMix64(seed: 5)
        for _ in 0..<8 { order.append(try admit(&table, client).id) }
        for id in order {
            table.begin(id)
            table.end(id)
        }
        for _ in 0..<2000 {
            let id = order.remove(at: Int.random(in: 0..<order.count, using: &generator))
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                table.begin(id)
                table.end(id)
                order.append(id)
            case 1:
                table.remove(id)
                let new = try admit(&table, other)
                #expect(new.evicted == nil)
                table.begin(new.id)
                table.end(new.id)
                order.append(new.id)
            default:
                order.append(id)
                table.begin(id)
                table.end(id)
                let new = try admit(&table, .v4(UInt32.random(in: 1...9, using: &generator)))
                #expect(new.evicted == order.removeFirst())
                table.begin(new.id)
                table.end(new.id)
                order.append(new.id)
            }
        }
        #expect(table.count == 8)
    }

    @Test func `clients that have left are forgotten`() throws {
        var table = ConnectionTable(maximum: 10, maximumPerClient: 2)
        for number in 0..<10_000 {
            let id = try admit(&table, .v4(UInt32(number))).id
            if number % 2 == 0 { table.begin(id) }
            table.remove(id)
            table.remove(id)
        }
        #expect(table.count == 0 && table.clientCount == 0)
    }
}
