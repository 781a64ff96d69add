/// Why etcd did not do what it was asked to.
struct EtcdError: Error, Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// This member can't; another may, or this one later.
        case unavailable
        /// The token is not, or no longer, known, or there is none though etcd wants one.
        case unauthenticated
        /// A token was asked for, and etcd needs none.
        case authenticationDisabled
        /// There is no such lease (any more).
        case noSuchLease
        /// This member has no space, or too much to do; another may have.
        case exhausted
        /// It does not want to.
        case rejected
    }

    var kind: Kind
    /// In one line, without secrets.
    var reason: String

    init(kind: Kind, reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// The error that is in the body of a response: the gateway's, `{"error":"…","code":14}`, with gRPC's codes, or any
    /// other text, of the gateway, or of a proxy before it.
    init(body: [UInt8], status: Int) {
        var message: String?
        var code: Int?
        if case .object(let members)? = try? JSONParser.parse(body) {
            for member in members {
                switch (member.name, member.value) {
                case ("message", .string(let text)), ("error", .string(let text)): message = text
                case ("code", .integer(let number)): code = number
                default: continue
                }
            }
        }
        if let message {
            reason = Self.line(message.utf8)
        } else {
            let text = Self.line(body)
            reason = text.isEmpty ? "HTTP status \(status)" : "HTTP status \(status): \(text)"
        }
        switch code {
        case 5 where reason.contains("lease"): kind = .noSuchLease
        case 9 where reason.contains("authentication is not enabled"): kind = .authenticationDisabled
        case 16: kind = .unauthenticated
        // The users were changed since the token was given.
        case 3 where reason.contains("revision of auth store is old"): kind = .unauthenticated
        // Authentication was enabled since it was said to be not.
        case 3 where reason.contains("user name is empty"): kind = .unauthenticated
        case 8: kind = .exhausted
        // Deadline exceeded, aborted, internal, unavailable.
        case 4, 10, 13, 14: kind = .unavailable
        default: kind = status >= 500 ? .unavailable : .rejected
        }
    }

    /// Octets of what others have written that are shown.
    private static let maximumLength = 256

    /// What others have written, as the start of a line that is fit for a log: printable ASCII, with a space for what
    /// separates words.
    static func line(_ octets: some Sequence<UInt8>) -> String {
        var line: [UInt8] = []
        for octet in octets {
            guard line.count < maximumLength else { return String(decoding: line, as: UTF8.self) + "..." }
            switch octet {
            case 0x21...0x7E: line.append(octet)
            case 0x09...0x0D, 0x20: if line.last ?? 0x20 != 0x20 { line.append(0x20) }
            default: line.append(UInt8(ascii: "?"))
            }
        }
        if line.last == 0x20 { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
    }
}
