import Testing

@testable import ControlPlane

/// A view of a moment shows what there was then, whatever changes while it is read.
@Suite struct PastViewTests {
    private let now = TestClock().now

    private func all(_ table: InstanceTable) -> [ServiceInstance] {
        table.page(after: nil, limit: .max, scanLimit: .max, filter: InstanceFilter()).instances.map(\.instance)
    }

    private func put(_ instance: ServiceInstance, _ table: inout InstanceTable) {
        table.put(instance, lease: Lease(ttlSeconds: instance.ttlSeconds, now: now))
    }

    private func open(_ table: inout InstanceTable) throws -> InstanceTable.PastView {
        let view = table.openPastView()
        return try #require(view)
    }

    /// Reads a view to its end.
    private func read(
        _ view: InstanceTable.PastView, _ table: inout InstanceTable, limit: Int,
        between: (inout InstanceTable) -> Void = { _ in }
    ) -> [ServiceInstance]? {
        var found: [ServiceInstance] = []
        while true {
            guard let part = table.readPastView(view.id, limit: limit) else { return nil }
            found += part.instances.map(\.instance)
            if part.isLast { return found }
            between(&table)
        }
    }

    @Test(arguments: 1...40) func `random changes between its parts do not show`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var table = InstanceTable()
        for sequence in 1...60 { put(.test(UInt64(sequence) * 3), &table) }
        let before = all(table)
        let view = try open(&table)
        #expect(view.count == 60 && view.index == table.changeIndex)
        var next: UInt64 = 1000
        let found = read(view, &table, limit: Int.random(in: 1...9, using: &generator)) { table in
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                let present = all(table)
                let chosen = present.randomElement(using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: if let chosen { table.remove(id: chosen.id) }
                case 1:
                    next += 1
                    put(.test(next), &table)
                case 2:
                    // As another node's may come: in the middle of the order.
                    let place = UInt64.random(in: 1...200, using: &generator)
                    if !present.contains(where: { $0.sequence == place || $0.id == "i\(place)" }) {
                        put(.test(place), &table)
                    }
                case 3:
                    if var chosen {
                        chosen.weight = UInt16.random(in: 0...9, using: &generator)
                        chosen.name = ["orders", "other"].randomElement(using: &generator) ?? ""
                        put(chosen, &table)
                    }
                default:
                    // The same id again, at the end of the order.
                    guard var chosen else { continue }
                    table.remove(id: chosen.id)
                    next += 1
                    chosen.sequence = next
                    put(chosen, &table)
                }
            }
        }
        #expect(found == before)
        table.closePastView(view.id)
        #expect(table.journal.pastViews.isEmpty)
        let part = table.readPastView(view.id, limit: 1)
        #expect(part == nil)
    }

    @Test func `two views show two moments, a third one has to wait, and policies are those of the moment`() throws {
        var table = InstanceTable([.test(1), .test(2), .test(3)], now: now)
        table.setPolicy(ServicePolicy(dnsTTL: 1), of: "orders")
        let first = try open(&table)
        table.remove(id: "i2")
        table.setPolicy(nil, of: "orders")
        let second = try open(&table)
        table.remove(id: "i1")
        let third = table.openPastView()
        #expect(third == nil)
        #expect(first.policies.count == 1 && second.policies.isEmpty)
        let (old, new) = (read(first, &table, limit: 2), read(second, &table, limit: 2))
        #expect(old?.map(\.id) == ["i1", "i2", "i3"])
        #expect(new?.map(\.id) == ["i1", "i3"])
        table.closePastView(first.id)
        let fourth = table.openPastView()
        #expect(fourth != nil)
    }

    @Test func `one that would keep too much is lost, and says so; others are not`() throws {
        var table = InstanceTable()
        let metadata = [MetadataEntry(key: "k", value: String(repeating: "x", count: 16_000))]
        for sequence in 1...17_000 {
            var instance = ServiceInstance.test(UInt64(sequence), ttl: 0)
            instance.metadata = metadata
            put(instance, &table)
        }
        let slow = try open(&table)
        let fast = try open(&table)
        let all = read(fast, &table, limit: 1 << 20)
        #expect(all?.count == 17_000)
        for sequence in 1...17_000 { table.remove(id: "i\(sequence)") }
        let (lost, rest) = (table.readPastView(slow.id, limit: 10), table.readPastView(fast.id, limit: 10))
        #expect(lost == nil)
        #expect(rest?.instances.isEmpty == true)
    }
}
