/// The names that an answer is about: the name in the question, and those to which CNAME records lead.
///
/// The chain ends at a name of our own. What an upstream says about that name, and about what it would lead to, is
/// ignored.
struct AliasChain {
    /// The names in lower case. The last one has the records that were asked for, if any has.
    private(set) var names: [[UInt8]]
    /// For each name but the last, the index of the record that leads to the next one.
    private(set) var links: [Int] = []
    /// Whether the last name is one of our own.
    private(set) var endsAtOwnName = false
    /// These names and all names above them, from when they are needed: a message may require thousands of comparisons.
    private var namesAndAbove: Set<[UInt8]>?

    /// - Returns: `nil` if a name is malformed, or the chain is too long or a loop.
    init?(from packet: borrowing LdnsPacket, key: CacheKey, own: OwnNames) {
        names = [key.name]
        if key.type != .cname, key.type != .any {
            guard follow(packet, own) else { return nil }
        }
    }

    /// The last name.
    var end: [UInt8] { names.last ?? [] }

    private mutating func follow(_ packet: borrowing LdnsPacket, _ own: OwnNames) -> Bool {
        let aliases = packet.answers.filter { $0.type == .cname && $0.recordClass == RecordClass.internet }
        // RFC 1034 §3.6.2: a name has one CNAME record. If there are more, the first one counts.
        while !endsAtOwnName, let next = aliases.first(where: { $0.owner == end }) {
            guard names.count <= UpstreamResponse.maximumChainLength, let target = packet.name(in: next, field: 0),
                !names.contains(target)
            else { return false }
            names.append(target)
            links.append(next.index)
            endsAtOwnName = own.contains(target)
        }
        return true
    }

    /// Whether a name, in lower case, is one of the names or above one of them.
    mutating func isAtOrAbove(_ name: [UInt8]) -> Bool {
        if let namesAndAbove { return namesAndAbove.contains(name) }
        var all: Set<[UInt8]> = []
        for name in names {
            var start = 0
            while start < name.count {
                all.insert(Array(name[start...]))
                start += 1 + Int(name[start])
            }
        }
        namesAndAbove = all
        return all.contains(name)
    }

    /// Whether one of the aliases follows from a DNAME record (RFC 6672 §2.2).
    ///
    /// - Parameters:
    ///   - owner: the owner of the record, in lower case.
    ///   - target: the name in its data, in lower case.
    func isRedirected(from owner: [UInt8], to target: [UInt8]) -> Bool {
        zip(names, names.dropFirst()).contains { name, alias in
            name.count > owner.count && DomainName.isName(name, atOrBelow: owner)
                && alias == name.dropLast(owner.count) + target
        }
    }
}
