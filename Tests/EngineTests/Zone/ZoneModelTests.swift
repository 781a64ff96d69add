import Testing

@testable import Engine

/// Random sequences of updates, each compared with a plain dictionary for every name.
struct ZoneModelTests {
    /// The zone as a dictionary, with the rules of RFC 1034 and 8020.
    private struct Model {
        var contents: [String: NameContent] = [:]

        mutating func apply(_ changes: [NameChange]) {
            for change in changes { contents[change.name] = change.content == .absent ? nil : change.content }
        }

        func expectation(_ name: String, _ type: RecordType) -> (TestReply.Outcome, Set<IPAddress>) {
            switch contents[name] {
            case .failure: return (.serverFailure, [])
            case .records(let rrsets):
                guard let rrset = rrsets.first(where: { $0.type == type }) else { return (.noData, []) }
                let addresses = rrset.records.compactMap {
                    if case .address(let address) = $0.data { address } else { nil }
                }
                return (.records, Set(addresses))
            case .absent, .changed, nil:
                return (contents.keys.contains { $0.hasSuffix("." + name) } ? .noData : .nameError, [])
            }
        }
    }

    /// There are few labels, so that names are often below each other.
    private let names: [String] = {
        let labels = ["a", "b", "c"]
        let two = labels.flatMap { first in labels.map { "\(first).\($0)" } }
        let three = labels.flatMap { first in two.map { "\(first).\($0)" } }
        return labels + two + three + ["a.a.a.a", "b.a.a.a.a", "_a._tcp", "_b._tcp", "_tcp"]
    }()

    private func randomContent(using random: inout SeededRandom) -> NameContent {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: .failure
        case 1: .records([])
        case 2...5: .absent
        case 6: .records([.aaaa(Int.random(in: 1...3, using: &random))])
        default: .records([.a(Int.random(in: 1...4, using: &random)), .srv([.ten(1)])])
        }
    }

    @Test(arguments: RotationStrategyName.allCases)
    func `any sequence of updates gives what a dictionary would`(_ strategy: RotationStrategyName) throws {
        var random = SeededRandom(UInt64(strategy.rawValue.utf8.count))
        var responder = try InProcessResponder(.test(strategy: strategy))
        var model = Model()
        let queries = try names.map { name in
            try [RecordType.a, .aaaa].map { (name, $0, try TestQuery("\(name).service.kong", $0).octets) }
        }.joined()
        for serial in 0..<150 {
            let changes = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                NameChange(name: names.randomElement(using: &random) ?? "a", content: randomContent(using: &random))
            }
            if Int.random(in: 0..<10, using: &random) == 0 {
                // The update is refused as a whole.
                let bad = changes + [NameChange(name: "", content: .absent)]
                #expect(throws: EngineError.self) {
                    try responder.publish(ZoneUpdate(serial: UInt32(serial), changes: bad))
                }
            } else {
                try responder.publish(ZoneUpdate(serial: UInt32(serial), changes: changes))
                model.apply(changes)
            }
            for (name, type, octets) in queries {
                let answer = responder.respond(to: octets.rawSpan, overTCP: false) { $0.array }
                let reply = try TestReply(try #require(answer))
                let (outcome, addresses) = model.expectation(name, type)
                #expect(reply.outcome == outcome, "\(name) after update \(serial)")
                #expect(Set(reply.addresses) == addresses && reply.addresses.count == addresses.count)
            }
        }
    }
}
