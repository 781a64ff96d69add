import Testing

@testable import ControlPlane

/// Who checks which instance.
@Suite struct CheckerNodesTests {
    private let ids = (0..<3000).map { "instance-\($0)" }

    @Test func `each instance is checked by one node, on which all agree, and each node has its share`() {
        let all = ["n1", "n2", "n3"]
        let views = all.map { own in CheckerNodes(own: own, others: all.reversed()) }
        var counts: [String: Int] = [:]
        for id in ids {
            let owners = views.filter { $0.isOwner(of: id) }
            #expect(owners.count == 1)
            counts[owners.first?.own ?? "", default: 0] += 1
        }
        for node in all { #expect((800...1200).contains(counts[node] ?? 0), "\(counts)") }
    }

    @Test func `when a node leaves only its instances move, and they are shared`() {
        let before = CheckerNodes(own: "n1", others: ["n2", "n3"])
        let after = CheckerNodes(own: "n1", others: ["n2"])
        var moved: [String: Int] = [:]
        for id in ids {
            let (old, new) = (before.owner(of: id), after.owner(of: id))
            if old != new {
                #expect(old == "n3")
                moved[new, default: 0] += 1
            }
        }
        #expect((moved["n1"] ?? 0) > 300 && (moved["n2"] ?? 0) > 300)
    }

    @Test func `a node that knows no others checks everything`() {
        let alone = CheckerNodes(own: "n1", others: [])
        #expect(ids.allSatisfy(alone.isOwner))
    }
}
