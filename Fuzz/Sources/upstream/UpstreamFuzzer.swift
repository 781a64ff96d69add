import CFuzzer
import Engine
import Synchronization

private func makeResponder() throws -> InProcessResponder {
    let upstreams = UpstreamConfiguration(
        servers: [SocketAddress(.v4(0x7F00_0001), port: 53)], allow: [IPNetwork(.v4(0x7F00_0000), prefixLength: 8)])
    return try InProcessResponder(
        EngineConfiguration(
            listen: [], workers: 1,
            zone: ZoneConfiguration(
                origin: "service.kong", ttl: 5, negativeTTL: 1, nameServerAddresses: [.v4(0x7F00_0001)]),
            forwarding: ForwardingConfiguration(
                upstreams: upstreams, cache: CacheConfiguration(maximumEntries: 100, minimumTTL: 60))))
}

private let fuzzed = Mutex<InProcessResponder?>(try? makeResponder())

/// Takes one input of the fuzzer for an upstream's answer to the question that it repeats, and judges what a client
/// would get of it: what ldns reads in the one it must read in the other, and nothing besides but what is the zone's.
func readOneInput(_ answer: [UInt8]) {
    guard answer.count >= 12, let end = questionEnd(answer) else { return }
    // The query that it answers: ID, RD, one question.
    let query = [UInt8](answer[0..<2]) + [1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + answer[12..<end]
    let (isAccepted, reply) = fuzzed.withLock { fuzzed -> (Bool, [UInt8]?) in
        // Unsafe only for types with padding; octets have none.
        let isAccepted = unsafe fuzzed?.accept(upstream: answer.span.bytes, to: query.span.bytes) ?? false
        guard isAccepted else { return (false, nil) }
        let reply = unsafe fuzzed?.respond(to: query.span.bytes, overTCP: true) { reply in
            // Unsafe: the octets are copied before the span ends.
            unsafe reply.withUnsafeBytes { unsafe [UInt8]($0) }
        }
        return (true, reply ?? nil)
    }
    // Names that lead into the header read what differs from message to message; nobody is bound to make sense of them.
    let leadsIntoHeader = (12..<(answer.count - 1)).contains { answer[$0] == 0xC0 && answer[$0 + 1] < 12 }
    guard isAccepted, !leadsIntoHeader else { return }
    if let complaint = complaint(about: reply, answer: answer, query: query) {
        fatalError("\(complaint)\nanswer: \(answer)\nreply: \(reply ?? [])")
    }
}

private func complaint(about reply: [UInt8]?, answer: [UInt8], query: [UInt8]) -> String? {
    if let reply, reply[0..<2] != query[0..<2] || reply[12..<query.count] != query[12...] {
        return "another ID or question"
    }
    let reply = reply.map { inSmallLetters($0, query) }
    guard let upstream = readWhole(inSmallLetters(answer, query)) else {
        // What ldns does not read behind AUTHORITY is not passed on; the rest it has read once more.
        return reply.flatMap { LdnsMessage($0) } == nil ? "ldns does not read the reply" : nil
    }
    guard let question = upstream.questions.first else { return "accepted for no question" }
    // Other classes are not forwarded.
    if question.recordClass != 1 { return nil }
    // The zone's own names are nobody else's business.
    if isOwn(question.owner) { return nil }
    // Asked in a way that is not forwarded.
    if [41, 251, 252].contains(question.type) { return nil }
    guard let reply, let message = LdnsMessage(reply) else { return "ldns does not read the reply" }
    if message.isAuthoritative || message.isTruncated || message.authenticData { return "AA, TC or AD" }
    let endsAtOwnName = message.answers.contains { $0.type == 5 && isOwn($0.data) && question.type != 5 }
    if message.responseCode != upstream.responseCode & 15, !endsAtOwnName { return "another response code" }
    if !isPart(message.answers.filter { !isOwn($0.owner) }, of: upstream.answers) { return "other records in ANSWER" }
    if !isPart(message.authority.filter { !isOwn($0.owner) }, of: upstream.authority) {
        return "other records in AUTHORITY"
    }
    let records = message.answers + message.authority
    if !endsAtOwnName, records.contains(where: { isOwn($0.owner) }) { return "records of the zone's own names" }
    if records.contains(where: { $0.type == 39 && isAboveOwn($0.owner) }) {
        return "the zone's own names are redirected"
    }
    if !message.additional.isEmpty { return "records in ADDITIONAL" }
    // ldns compresses in its own way where letters are not all small, and an alias of our own names is written out.
    let isComparable = !endsAtOwnName && reply.count < 0x4000 && !reply.contains { (65...90).contains($0) }
    if isComparable, LdnsMessage.repacked(reply) != reply { return "octets that ldns would not write" }
    let ttls = Set((message.answers + message.authority).map(\.ttl))
    if ttls.count > 1 || ttls.contains(0) { return "TTLs \(ttls)" }
    return nil
}

/// A message with its question in small letters: names that lead there get the letters of the client's query.
private func inSmallLetters(_ message: [UInt8], _ query: [UInt8]) -> [UInt8] {
    message[..<12] + lowerCase([UInt8](query[12...])) + message[query.count...]
}

/// What ldns reads in a whole answer. It loses all but one of several TSIG records in ADDITIONAL, which the engine
/// never lets it see: that leak is the judge's alone.
private func readWhole(_ answer: [UInt8]) -> LdnsMessage? {
    __lsan_disable()
    defer { __lsan_enable() }
    return LdnsMessage(answer)
}

/// The zone, and others whose names are answered here.
private let origins: [[UInt8]] = [
    [7] + "service".utf8 + [4] + "kong".utf8 + [0], [9] + "localhost".utf8 + [0], [7] + "invalid".utf8 + [0],
    [8] + "resolver".utf8 + [4] + "arpa".utf8 + [0],
]

private func lowerCase(_ name: [UInt8]) -> [UInt8] { name.map { (65...90).contains($0) ? $0 | 0x20 : $0 } }

/// Whether a name is answered here.
private func isOwn(_ name: [UInt8]) -> Bool {
    var labels = lowerCase(name)[...]
    while let length = labels.first, length > 0 {
        if origins.contains(where: { labels == $0[...] }) { return true }
        labels = labels.dropFirst(Int(length) + 1)
    }
    return false
}

/// Whether a name that is answered here is at or below another.
private func isAboveOwn(_ name: [UInt8]) -> Bool {
    origins.contains { $0.suffix(name.count) == lowerCase(name)[...] }
}

/// Whether all records are among others, each as often at most: without their TTLs, owners and aliases in lower case.
private func isPart(_ records: [LdnsRecord], of others: [LdnsRecord]) -> Bool {
    var counts: [[UInt8]: Int] = [:]
    for record in others { counts[octets(record), default: 0] += 1 }
    return records.allSatisfy { record in
        counts[octets(record), default: 0] -= 1
        return (counts[octets(record)] ?? 0) >= 0
    }
}

private func octets(_ record: LdnsRecord) -> [UInt8] {
    let numbers = [record.type, record.recordClass].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    return record.lowerCaseOwner + numbers + (record.type == 5 ? lowerCase(record.data) : record.data)
}

private func questionEnd(_ message: [UInt8]) -> Int? {
    var offset = 12
    while offset < message.count {
        let length = Int(message[offset])
        if length == 0 { return offset + 5 <= message.count && offset - 11 <= 255 ? offset + 5 : nil }
        if length > 63 { return nil }
        offset += 1 + length
    }
    return nil
}
