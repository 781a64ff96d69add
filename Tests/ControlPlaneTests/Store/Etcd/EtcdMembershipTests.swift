import Foundation
import Testing

@testable import ControlPlane

/// What a node makes of the keys of nodes.
@Suite struct EtcdMembershipTests {
    private let keys = EtcdKeyspace(prefix: "/kong-discovery")
    private let own = EtcdMembership.identity(7)

    /// The keys as etcd tells them.
    private func values(_ nodes: [(key: String, lease: Int64)]) throws -> [EtcdKeyValue] {
        let texts = nodes.map { #"{"key":"\#(Data($0.key.utf8).base64EncodedString())","lease":"\#($0.lease)"}"# }
        let json = try JSONParser.parse(Array(#"{"kvs":[\#(texts.joined(separator: ","))]}"#.utf8))
        return try EtcdResponse(json).values
    }

    /// What is found if a node with the lease 1 reads some keys.
    private func findings(
        _ nodes: [(key: String, lease: Int64)], knows known: [(key: String, lease: Int64)]? = nil
    ) throws -> EtcdMembership.Findings {
        var membership = EtcdMembership(own: own)
        membership.lease = 1
        if let known { _ = membership.read(try values(known), keys) }
        return membership.read(try values(nodes), keys)
    }

    private func node(_ number: UInt64) -> String { keys.node(EtcdMembership.identity(number)) }

    private func nodes(_ numbers: [UInt64]) -> CheckerNodes {
        CheckerNodes(own: own, others: numbers.map(EtcdMembership.identity))
    }

    @Test func `a node that finds nobody is alone, and says so once`() throws {
        #expect(try findings([]) == .init(hasOwnKey: false, change: nodes([])))
        #expect(try findings([], knows: []) == .init(hasOwnKey: false))
        #expect(try findings([(node(7), 1)]) == .init(hasOwnKey: true, change: nodes([])))
    }

    @Test func `nodes come and go`() throws {
        #expect(try findings([(node(3), 9), (node(7), 1)]) == .init(hasOwnKey: true, change: nodes([3])))
        #expect(try findings([(node(3), 9), (node(7), 1)], knows: [(node(3), 8)]) == .init(hasOwnKey: true))
        #expect(
            try findings([(node(7), 1)], knows: [(node(3), 9)]) == .init(hasOwnKey: true, change: nodes([])))
        #expect(
            try findings([(node(9), 2)], knows: [(node(3), 9)]) == .init(hasOwnKey: false, change: nodes([9])))
    }

    @Test func `a key on another lease than this node's is not its key`() throws {
        #expect(try findings([(node(7), 2)]) == .init(hasOwnKey: false, change: nodes([])))
    }

    @Test(
        arguments: [
            ("nodes/0000000000000003", 0), ("nodes/", 1), ("nodes/3", 1), ("nodes/000000000000000G", 1),
            ("nodes/000000000000000A", 1), ("nodes/00000000000000003", 1), ("nodes/0000000000000003/", 1),
            ("nodes/\u{FF10}0000000000000", 1), ("services/orders/0000000000000003", 1), ("", .max),
        ] as [(String, Int64)])
    func `keys that stay for ever or are nobody's do not count, and that is told once`(
        key: String, lease: Int64
    ) throws {
        let odd = ("/kong-discovery/v1/" + key, lease)
        #expect(try findings([odd]) == .init(change: nodes([]), hasOddKeys: true))
        #expect(try findings([odd, (node(4), 2)], knows: [odd]) == .init(change: nodes([4])))
    }

    @Test func `the number of nodes is bounded, and all see the same ones`() throws {
        let all = (100..<3000 as Range<UInt64>).map { (node($0), Int64.max) }
        let found = try findings(all)
        #expect(found == .init(change: nodes(Array(100..<164)), hasOddKeys: true))
        let junk = (0..<3000).map { (keys.nodesPrefix + "\($0)", Int64(1)) }
        #expect(try findings(junk + all) == .init(change: nodes([]), hasOddKeys: true))
        #expect(try findings(Array(junk.prefix(1000)) + all).change?.all.count == 25)
    }

    @Test func `what was known remains if etcd is asked in vain`() throws {
        var membership = EtcdMembership(own: own)
        let told = [membership.failed(), membership.failed()]
        #expect(told == [nodes([]), nil])
        _ = membership.read(try values([(node(3), 1)]), keys)
        let late = membership.failed()
        #expect(late == nil && membership.nodes == nodes([3]))
    }

    @Test func `a refusal is told once, and its end`() {
        var membership = EtcdMembership(own: own)
        let news = [nil, "no", "no!", nil, nil].map { membership.refused($0) }
        #expect(news == [false, true, false, true, false])
    }

    @Test func `many hints start one round, and none after the end`() async {
        var membership = EtcdMembership(own: own)
        var isFirst = [membership.hint()]
        let (rounds, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)
        var hasBegun = [membership.begin(wake)]
        isFirst += [membership.hint(), membership.hint(), membership.hint()]
        membership.followHint()
        isFirst.append(membership.hint())
        membership.followHint()
        membership.end()
        isFirst.append(membership.hint())
        hasBegun.append(membership.begin(wake))
        membership.followHint()
        #expect(isFirst == [false, true, false, false, true, false])
        #expect(hasBegun == [true, false])
        var count = 0
        for await _ in rounds { count += 1 }
        #expect(count == 2)
    }

    @Test(
        arguments: [(0, "0000000000000000"), (255, "00000000000000ff"), (.max, "ffffffffffffffff")]
            as [(UInt64, String)])
    func `each number stands for an identity`(number: UInt64, text: String) {
        #expect(EtcdMembership.identity(number) == text && EtcdMembership.isIdentity(text))
    }

    @Test func `keys of nodes are not taken for instances`() {
        #expect(keys.isAuxiliary(node(3)) && keys.isAuxiliary(keys.nodesPrefix + "what/ever"))
        #expect(keys.instance(node(3)) == nil)
        #expect(keys.nodes.contains(Array(node(3).utf8)))
        #expect(!keys.nodes.contains(Array(keys.identity.utf8)) && !keys.nodes.contains(Array(keys.probe.utf8)))
    }
}
