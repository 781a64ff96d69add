import Engine
import Synchronization

/// The packet → answer function, once for each way to choose the first record.
private struct Responders: ~Copyable {
    var roundRobin: InProcessResponder
    var random: InProcessResponder
    var weighted: InProcessResponder

    init() throws {
        // All first: a type without copies can't be left half-made.
        let roundRobin = try FuzzedZone.makeResponder(.roundRobin)
        let random = try FuzzedZone.makeResponder(.random)
        let weighted = try FuzzedZone.makeResponder(.weighted)
        self.roundRobin = roundRobin
        self.random = random
        self.weighted = weighted
    }

    mutating func respond(to query: RawSpan, overTCP: Bool, choice: UInt8) -> [UInt8]? {
        switch choice {
        case 1: random.respond(to: query, overTCP: overTCP, octets)
        case 2: weighted.respond(to: query, overTCP: overTCP, octets)
        default: roundRobin.respond(to: query, overTCP: overTCP, octets)
        }
    }
}

private func octets(_ reply: RawSpan) -> [UInt8] {
    // Unsafe: the octets are copied before the span ends.
    unsafe reply.withUnsafeBytes { unsafe [UInt8]($0) }
}

private let responders = Mutex<Responders?>(try? Responders())

/// Answers one input of the fuzzer and judges the reply.
///
/// - Parameter input: first the transport (bit 0: TCP) and the strategy (bits 1 and 2), then the query.
func answerOneInput(_ input: [UInt8]) {
    guard let choice = input.first else { return }
    let overTCP = choice & 1 != 0
    let query = [UInt8](input.dropFirst())
    let reply = responders.withLock { responders -> [UInt8]? in
        // Unsafe only for types with padding; octets have none.
        guard responders != nil else { fatalError("the fuzzed zone is not valid") }
        return unsafe responders?.respond(to: query.span.bytes, overTCP: overTCP, choice: choice >> 1 & 3) ?? nil
    }
    if let complaint = ReplyJudge(query: query, overTCP: overTCP).complaint(about: reply) {
        fatalError("\(complaint)\nquery: \(query)\nreply: \(reply ?? [])")
    }
}
