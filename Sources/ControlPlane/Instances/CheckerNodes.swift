/// The nodes that share the work of checking. Each instance is checked by one of them.
struct CheckerNodes: Sendable, Equatable {
    /// This node.
    let own: String
    /// All nodes, this one included, in order.
    let all: [String]

    /// - Parameter others: those that are known to be alive; this node may be among them.
    init(own: String, others: some Sequence<String>) {
        self.own = own
        all = Set(others).union([own]).sorted()
    }

    /// Whether this node checks an instance.
    func isOwner(of id: String) -> Bool { owner(of: id) == own }

    /// The node that checks an instance: the one with the highest weight for it (rendezvous hashing). So if a node
    /// comes or goes, only the instances move that it gets or had.
    func owner(of id: String) -> String {
        var best = (weight: UInt64(0), node: own)
        for node in all {
            let weight = Self.weight(of: id, at: node)
            if weight > best.weight || weight == best.weight && node < best.node { best = (weight, node) }
        }
        return best.node
    }

    /// A number that every node computes alike: FNV-1a, with the last steps of MurmurHash3 so that every bit counts.
    private static func weight(of id: String, at node: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ octet: UInt8) { hash = (hash ^ UInt64(octet)) &* 0x0000_0100_0000_01B3 }
        for octet in node.utf8 { add(octet) }
        add(0)
        for octet in id.utf8 { add(octet) }
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ hash >> 33
    }
}
