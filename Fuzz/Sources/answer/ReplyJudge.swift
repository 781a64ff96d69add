import Engine

/// Says what is wrong with a reply. Independent of the engine: ldns reads both messages, the rest is RFC and contract.
struct ReplyJudge {
    private let query: [UInt8]
    private let overTCP: Bool
    /// Where the question ends; `nil` when it is cut off, compressed or too long.
    private let questionEnd: Int?
    /// The query as ldns reads it; `nil` when it doesn't, or when it has more than one additional record: then ldns may
    /// miss an OPT record behind a TSIG record, or read on inside the data of a record that is longer than its type's
    /// fields. The engine's tests list these cases.
    private let asked: LdnsMessage?

    init(query: [UInt8], overTCP: Bool) {
        self.query = query
        self.overTCP = overTCP
        questionEnd = Self.questionEnd(query)
        let additionalCount = query.count < 12 ? 0 : Int(query[10]) << 8 | Int(query[11])
        asked = additionalCount > 1 ? nil : LdnsMessage(query)
    }

    /// What is wrong; `nil` when nothing is.
    func complaint(about reply: [UInt8]?) -> String? {
        let mustBeSilent = query.count < 12 || query[2] & 0x80 != 0
        guard let reply else { return mustBeSilent ? nil : "no reply" }
        if mustBeSilent { return "a reply where there must be none" }
        guard let message = LdnsMessage(reply) else { return "ldns does not read the reply" }
        return complaintAboutHeader(message, reply) ?? complaintAboutSize(message, reply)
            ?? complaintAboutOutcome(message) ?? complaintAboutRecords(message)
    }

    private func complaintAboutHeader(_ message: LdnsMessage, _ reply: [UInt8]) -> String? {
        if reply[0...1] != query[0...1] { return "another ID" }
        if !message.isResponse { return "QR=0" }
        // QR, AA and TC are judged elsewhere; the opcode is repeated, and RD with QUERY (RFC 8906 §3.1.4).
        let isQuery = query[2] & 0x78 == 0
        if reply[2] & 0x79 != query[2] & (isQuery ? 0x79 : 0x78) { return "another opcode or RD" }
        // CD too: nothing is forwarded here.
        if reply[3] & 0xF0 != 0 { return "RA, Z, AD or CD" }
        let questionCount = Int(query[4]) << 8 | Int(query[5])
        guard questionCount == 1, let questionEnd else {
            return message.questions.isEmpty ? nil : "a question that was not asked"
        }
        if message.questions.count != 1 { return "no question" }
        if reply.count < questionEnd || reply[12..<questionEnd] != query[12..<questionEnd] { return "another question" }
        return nil
    }

    private func complaintAboutSize(_ message: LdnsMessage, _ reply: [UInt8]) -> String? {
        if overTCP {
            return message.isTruncated || reply.count > 65535 ? "TC or too long over TCP" : nil
        }
        if message.edns == nil, reply.count > 512 { return "over 512 octets without EDNS" }
        if let edns = asked?.edns, reply.count > max(512, Int(edns.payload)) {
            return "more octets than the client takes"
        }
        return reply.count > FuzzedZone.udpPayload ? "more octets than configured" : nil
    }

    private func complaintAboutOutcome(_ message: LdnsMessage) -> String? {
        if let edns = message.edns {
            if query[10] == 0, query[11] == 0 { return "OPT though the query has no additional record" }
            if edns.version != 0 || edns.payload != UInt16(FuzzedZone.udpPayload) { return "OPT's version or payload" }
            if let asked {
                guard let asked = asked.edns else { return "OPT though the query has none" }
                if asked.dnssecOK != edns.dnssecOK { return "another DO" }
                if (asked.version != 0) != (message.responseCode == 16) { return "BADVERS" }
            }
        }
        let isEmpty = message.answers.isEmpty
        switch message.responseCode {
        case 0 where !isEmpty || message.isTruncated:
            return message.isAuthoritative == Self.isAuthoritative(message) ? nil : "an answer with another AA"
        case 0, 3: return complaintAboutNegative(message)
        case 1, 2, 4, 5, 9, 16:
            return isEmpty && message.authority.isEmpty && message.additional.isEmpty && !message.isAuthoritative
                && !message.isTruncated ? nil : "an error with AA, TC or records"
        default: return "response code \(message.responseCode)"
        }
    }

    /// Whether an answer is authoritative: not for all classes (RFC 1035 §6.2).
    private static func isAuthoritative(_ message: LdnsMessage) -> Bool {
        message.questions.first?.recordClass != anyClass
    }

    private func complaintAboutNegative(_ message: LdnsMessage) -> String? {
        guard message.isAuthoritative == Self.isAuthoritative(message), message.answers.isEmpty,
            message.additional.isEmpty
        else {
            return "a negative answer without AA or with records"
        }
        guard message.authority.count == 1, let soa = message.authority.first, soa.type == RecordType.soa.rawValue,
            soa.owner.map(Self.lowered) == Self.originName
        else { return "a negative answer without the zone's SOA" }
        return soa.ttl == 1 ? nil : "a negative answer's TTL"
    }

    private func complaintAboutRecords(_ message: LdnsMessage) -> String? {
        guard let question = message.questions.first else { return nil }
        let name = question.lowerCaseOwner
        let isInside = name.count >= Self.originName.count && name.suffix(Self.originName.count) == Self.originName[...]
        if message.isAuthoritative, question.recordClass == 1, !isInside { return "AA outside the zone" }
        if Set(message.answers.map(\.ttl)).count > 1 { return "more than one TTL" }
        for record in message.answers + message.additional where record.ttl == 0 { return "TTL 0 of \(record)" }
        let recordClass = question.recordClass == Self.anyClass ? 1 : question.recordClass
        let isHostInformation = question.type == RecordType.any.rawValue && recordClass == 1
        for record in message.answers {
            let type = isHostInformation ? RecordType.hinfo.rawValue : question.type
            let isChaos = question.recordClass == 3 && record.type == RecordType.txt.rawValue
            if record.lowerCaseOwner != name || record.recordClass != recordClass { return "another owner" }
            if record.type != type, !isChaos { return "another type" }
        }
        if Set(message.answers).count != message.answers.count { return "a record twice" }
        return complaintAboutCount(message, question, name) ?? complaintAboutAdditional(message)
    }

    /// Without TC an answer is whole; it may only end where a message over TCP does.
    private func complaintAboutCount(_ message: LdnsMessage, _ question: LdnsRecord, _ name: [UInt8]) -> String? {
        guard message.responseCode == 0, question.recordClass == 1, name.count > Self.originName.count,
            case .records(let rrsets) = FuzzedZone.contents[Self.text(name.dropLast(Self.originName.count))],
            let rrset = rrsets.first(where: { $0.type.rawValue == question.type })
        else { return nil }
        if message.answers.count == rrset.records.count { return message.isTruncated ? "TC for nothing" : nil }
        if overTCP { return rrset.records.count > 1000 ? nil : "not all records" }
        return message.isTruncated && message.additional.isEmpty ? nil : "trimmed without TC"
    }

    /// ADDITIONAL has addresses of the answered targets, each once.
    private func complaintAboutAdditional(_ message: LdnsMessage) -> String? {
        guard !message.additional.isEmpty else { return nil }
        let targets = Set(
            message.answers.filter { $0.type == RecordType.srv.rawValue }.map { [UInt8]($0.data.dropFirst(6)) })
        let servers = Set(message.answers.filter { $0.type == RecordType.ns.rawValue }.map { [UInt8]($0.data) })
        if !servers.isEmpty {
            return message.additional.allSatisfy { servers.contains($0.owner) } ? nil : "an address of another server"
        }
        var seen: Set<[UInt8]> = []
        for record in message.additional {
            if !targets.contains(record.owner) { return "an address nobody points to" }
            if !seen.insert(record.owner).inserted { return "an address twice" }
            let digits = record.data.flatMap { [Self.digits[Int($0 >> 4)], Self.digits[Int($0 & 15)]] }
            if record.owner.dropFirst().prefix(digits.count) != digits[...] { return "another target's address" }
        }
        return nil
    }

    // MARK: Names

    private static let anyClass: UInt16 = 255
    private static let digits = [UInt8]("0123456789abcdef".utf8)
    private static let originName: [UInt8] = [7] + "service".utf8 + [4] + "kong".utf8 + [0]

    private static func lowered(_ octet: UInt8) -> UInt8 { (65...90).contains(octet) ? octet + 32 : octet }

    /// Labels in wire form as text with dots.
    private static func text(_ labels: ArraySlice<UInt8>) -> String {
        var parts: [String] = []
        var rest = labels
        while let length = rest.first {
            parts.append(String(decoding: rest.dropFirst().prefix(Int(length)), as: UTF8.self))
            rest = rest.dropFirst(1 + Int(length))
        }
        return parts.joined(separator: ".")
    }

    private static func questionEnd(_ message: [UInt8]) -> Int? {
        var offset = 12
        while offset < message.count {
            let length = Int(message[offset])
            if length == 0 { return offset + 5 <= message.count && offset - 11 <= 255 ? offset + 5 : nil }
            if length > 63 { return nil }
            offset += 1 + length
        }
        return nil
    }
}
