/// The names that an answer is about: the one that was asked, and those that CNAME records lead on to.
///
/// It ends at a name of our own: what an upstream says of it, and of what it would lead to, is not looked at.
struct AliasChain {
    /// In lower case; the last one has the records that were asked for, if any has.
    private(set) var names: [[UInt8]]
    /// For each name but the last, the place of the record that leads on.
    private(set) var links: [Int] = []
    /// The owners of all records in ANSWER, in lower case.
    private(set) var owners: [[UInt8]] = []
    /// Whether the last name is one of our own.
    private(set) var endsAtOwnName = false
    /// Those names and all above them, once they are needed: a message may ask for thousands of comparisons.
    private var namesAndAbove: Set<[UInt8]>?

    /// - Returns: `nil` when it is too long, or a loop.
    init?(_ message: RawSpan, _ answers: [RecordPlace], _ key: CacheKey, own: OwnNames) {
        names = [key.name]
        owners.reserveCapacity(answers.count)
        for record in answers {
            // Nearly always a pointer to the question.
            if message.uint16(at: record.owner) == AnswerReader.pointerToQuestion {
                owners.append(key.name)
            } else {
                guard let owner = DomainName.expanded(in: message, at: record.owner) else { return nil }
                owners.append(owner)
            }
        }
        if key.type != .cname, key.type != .any {
            guard follow(message, answers, own) else { return nil }
        }
    }

    /// The last name.
    var end: [UInt8] { names.last ?? [] }

    private mutating func follow(_ message: RawSpan, _ answers: [RecordPlace], _ own: OwnNames) -> Bool {
        let aliases = answers.indices.filter {
            answers[$0].type == .cname && answers[$0].recordClass == RecordClass.internet
        }
        // RFC 1034 §3.6.2: a name has one CNAME record; of more the first counts.
        while !endsAtOwnName, let next = aliases.first(where: { owners[$0] == end }) {
            guard names.count <= UpstreamResponse.maximumChainLength,
                let target = DomainName.expanded(in: message, at: answers[next].data.lowerBound),
                !names.contains(target)
            else { return false }
            names.append(target)
            links.append(next)
            endsAtOwnName = own.contains(target)
        }
        return true
    }

    /// Whether a name, in lower case, is one of the names, or above one.
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

    /// Whether one of the aliases is what a DNAME record makes of its name (RFC 6672 §2.2).
    ///
    /// - Parameters:
    ///   - owner: the record's, in lower case.
    ///   - target: the name in its data, in lower case.
    func isRedirected(from owner: [UInt8], to target: [UInt8]) -> Bool {
        zip(names, names.dropFirst()).contains { name, alias in
            name.count > owner.count && DomainName.isName(name, atOrBelow: owner)
                && alias == name.dropLast(owner.count) + target
        }
    }
}
