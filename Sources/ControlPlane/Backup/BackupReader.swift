import Crypto
import Engine

/// Reads a backup piece by piece, however it is cut into pieces, and checks it. It is pure.
///
/// It keeps one line at most. Only ``finish()`` says that all of it is there and unchanged: nothing may be done with
/// what was read before.
struct BackupReader: Sendable {
    /// What a line has.
    enum Item: Sendable, Equatable {
        case header(BackupHeader)
        case policy(NamedPolicy)
        case instance(ServiceInstance)
    }

    /// How instances are read.
    struct Rules: Sendable {
        /// The rules for what is registered.
        var decoder: RegistrationDecoder
        /// Who sends the backup.
        var client: IPAddress?
    }

    private static let lineFeed = [UInt8(ascii: "\n")]

    private let rules: Rules?
    private var digest = SHA256()
    /// The beginning of a line whose end has not come yet.
    private var pending: [UInt8] = []
    /// The number of whole lines.
    private(set) var lineCount = 0
    private(set) var counts = BackupCounts()
    private(set) var header: BackupHeader?
    /// The SHA-256 in the end line; `nil`: it has not come yet.
    private(set) var checksum: String?

    /// - Parameter rules: `nil`: instances are counted, not read.
    init(_ rules: Rules? = nil) {
        self.rules = rules
    }

    /// Reads octets.
    ///
    /// - Parameter body: is given what each line has, in order.
    mutating func read(
        _ octets: [UInt8], _ body: (_ item: Item, _ line: Int) throws(BackupProblem) -> Void = { _, _ in }
    ) throws(BackupProblem) {
        var rest = octets[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let piece = rest[..<end]
            rest = rest[(end + 1)...]
            if pending.isEmpty {
                try take(piece, body)
            } else {
                try append(piece)
                let line = pending
                pending.removeAll(keepingCapacity: true)
                try take(line[...], body)
            }
        }
        try append(rest)
    }

    /// Ends the reading.
    ///
    /// - Returns: how much there is; all of it is unchanged.
    mutating func finish() throws(BackupProblem) -> BackupCounts {
        if lineCount == 0, pending.isEmpty { throw .empty }
        if !pending.isEmpty {
            // An editor may have taken the last line feed away.
            let line = pending
            let whole = lineCount
            pending = []
            do throws(BackupProblem) {
                try take(line[...]) { _, _ in }
            } catch {
                throw whole == 0 || checksum != nil ? error : .cut(afterLine: whole)
            }
        }
        guard checksum != nil else { throw .cut(afterLine: lineCount) }
        return counts
    }

    private mutating func append(_ piece: ArraySlice<UInt8>) throws(BackupProblem) {
        if pending.isEmpty, lineCount == 0 { try Self.refuseCompressed(piece) }
        guard pending.count + piece.count <= BackupFormat.maximumLineOctets else { throw tooLong }
        pending += piece
    }

    private var tooLong: BackupProblem {
        if header == nil { return .noHeader }
        return .damaged(lineCount + 1, "it is longer than \(BackupFormat.maximumLineOctets) octets")
    }

    private static func refuseCompressed(_ octets: ArraySlice<UInt8>) throws(BackupProblem) {
        for (signature, program) in [
            ([0x1F, 0x8B], "gunzip"), ([0x28, 0xB5, 0x2F, 0xFD], "unzstd"), ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "unxz"),
            ([0x42, 0x5A, 0x68], "bunzip2"), ([0x50, 0x4B, 0x03, 0x04], "unzip"),
        ] as [([UInt8], String)] where octets.starts(with: signature) {
            throw .compressed(program)
        }
    }

    /// Takes a whole line.
    private mutating func take(
        _ line: ArraySlice<UInt8>, _ body: (Item, Int) throws(BackupProblem) -> Void
    ) throws(BackupProblem) {
        if lineCount == 0 { try Self.refuseCompressed(line) }
        guard line.count <= BackupFormat.maximumLineOctets else { throw tooLong }
        lineCount += 1
        guard header != nil else {
            let header = try Self.header(line)
            self.header = header
            add(line)
            return try body(.header(header), lineCount)
        }
        if checksum != nil { throw .damaged(lineCount, "something follows the end line") }
        if rules == nil, line.starts(with: BackupFormat.instancePrefix) {
            try count(BackupCounts(instances: 1))
            return add(line)
        }
        let member = try member(of: line)
        switch member.name {
        case "policy":
            try count(BackupCounts(policies: 1))
            let policy = try policy(member.value)
            add(line)
            try body(.policy(policy), lineCount)
        case "instance":
            try count(BackupCounts(instances: 1))
            add(line)
            guard let rules else { return }
            try body(.instance(try instance(member.value, rules)), lineCount)
        case "end": try end(member.value)
        case "aborted":
            var reason = ""
            if case .string(let text) = member.value { reason = text }
            throw BackupProblem(
                line: lineCount, reason: "the server could not complete it: \(reason); make another backup")
        default: throw .damaged(lineCount, "it is neither a policy nor an instance nor the end")
        }
    }

    /// Counts a line. There can't be more than were announced, so nobody can send for ever.
    private mutating func count(_ more: BackupCounts) throws(BackupProblem) {
        counts.policies += more.policies
        counts.instances += more.instances
        guard let told = header?.counts, counts.policies <= told.policies, counts.instances <= told.instances else {
            throw .damaged(lineCount, "there are more lines of this kind than the header says")
        }
    }

    private mutating func add(_ line: ArraySlice<UInt8>) {
        digest.update(data: line)
        digest.update(data: Self.lineFeed)
    }
}

extension BackupReader {
    private static func header(_ line: ArraySlice<UInt8>) throws(BackupProblem) -> BackupHeader {
        guard let json = try? JSONParser.parse(Array(line)), case .object(let members) = json else { throw .noHeader }
        var format: String?
        var version: Int?
        var header = BackupHeader(productVersion: "", index: 0, counts: BackupCounts())
        var counts: [String: Int] = [:]
        for member in members {
            switch (member.name, member.value) {
            case ("format", .string(let text)): format = text
            case ("format_version", .integer(let number)): version = number
            case ("product_version", .string(let text)): header.productVersion = String(text.prefix(64))
            case ("index", .integer(let number)): header.index = UInt64(exactly: number) ?? 0
            case ("policies", .integer(let number)), ("instances", .integer(let number)):
                counts[member.name] = number
            default: continue
            }
        }
        guard format == BackupFormat.name else { throw .noHeader }
        guard let version, version >= 1 else { throw .damaged(1, "the header has no format_version") }
        guard version <= BackupFormat.version else { throw .newer(version, by: header.productVersion) }
        guard let policies = counts["policies"], let instances = counts["instances"], policies >= 0, instances >= 0
        else { throw .damaged(1, "the header does not say how many policies and instances follow") }
        header.formatVersion = version
        header.counts = BackupCounts(policies: policies, instances: instances)
        return header
    }

    /// The member that a line has.
    private func member(of line: ArraySlice<UInt8>) throws(BackupProblem) -> JSONMember {
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONParser.parse(Array(line))
        } catch {
            throw .damaged(lineCount, "not JSON: \(error.problem) at column \(error.column)")
        }
        guard case .object(let members) = json, let member = members.first, members.count == 1 else {
            throw .damaged(lineCount, "it is no object with one member")
        }
        return member
    }

    private func policy(_ json: JSONValue) throws(BackupProblem) -> NamedPolicy {
        do throws(InvalidFields) {
            return try StoredPolicy.read(json)
        } catch {
            throw BackupProblem(line: lineCount, reason: "the policy can't be restored: \(error)")
        }
    }

    private func instance(_ json: JSONValue, _ rules: Rules) throws(BackupProblem) -> ServiceInstance {
        do throws(MalformedInstance) {
            return try StoredInstance.read(json, rules.decoder, from: rules.client)
        } catch {
            throw BackupProblem(line: lineCount, reason: "the instance can't be restored: \(error.reason)")
        }
    }

    private mutating func end(_ json: JSONValue) throws(BackupProblem) {
        var found: [String: JSONValue] = [:]
        if case .object(let members) = json { for member in members { found[member.name] = member.value } }
        guard case .string(let checksum)? = found["sha256"], case .integer(let policies)? = found["policies"],
            case .integer(let instances)? = found["instances"]
        else { throw .damaged(lineCount, "the end line lacks sha256, policies or instances") }
        let said = BackupCounts(policies: policies, instances: instances)
        guard said == counts, header?.counts == counts else {
            let told = said == counts ? header?.counts ?? said : said
            throw .damaged(lineCount, "there are \(counts.words) before it instead of \(told.words)")
        }
        guard checksum == BackupDigest.hexadecimal(digest) else {
            throw .damaged(
                lineCount,
                "the check sum (SHA-256) is not that of the lines before it, so something in them was changed"
            )
        }
        self.checksum = checksum
    }
}
