/// Why etcd did not carry out a request.
struct EtcdError: Error, Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// This member can't; another one may, or this one later.
        case unavailable
        /// The token is unknown or has expired, or it is missing and etcd wants one.
        case unauthenticated
        /// A token was requested, but authentication is disabled.
        case authenticationDisabled
        /// The lease does not exist, or has ended.
        case noSuchLease
        /// This member has no space or too much to do; another one may not.
        case exhausted
        /// etcd refuses the request.
        case rejected
    }

    var kind: Kind
    /// The reason in one line, without secrets.
    var reason: String

    init(kind: Kind, reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// Reads the error in a response's body: the gateway's `{"error":"…","code":14}` with gRPC's codes, or any other
    /// text, from the gateway or from a proxy in front of it.
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
        // Users were changed after the token was given.
        case 3 where reason.contains("revision of auth store is old"): kind = .unauthenticated
        // Authentication was enabled after etcd said that it was not.
        case 3 where reason.contains("user name is empty"): kind = .unauthenticated
        case 8: kind = .exhausted
        // Deadline exceeded, aborted, internal, unavailable.
        case 4, 10, 13, 14: kind = .unavailable
        default: kind = status >= 500 ? .unavailable : .rejected
        }
    }

    /// The most octets shown of a text that others have written.
    private static let maximumLength = 256

    /// The beginning of a text that others have written, in a form fit for a log line: printable ASCII, with spaces for
    /// what separates words.
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
