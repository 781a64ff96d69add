/// A new token: the secret for its holder, and the line for the tokens file.
public struct NewToken: Sendable {
    /// What is wrong with what it was to be, in one line.
    public struct Failure: Error, CustomStringConvertible {
        /// The line.
        public let description: String
    }

    /// The token: 256 random bits as 43 characters of base64url (RFC 4648 §5). It is nowhere else.
    public let secret: String
    /// The line for the tokens file, which has only the token's hash.
    public let line: String

    /// Makes a token.
    ///
    /// - Parameters:
    ///   - name: tells it from others in logs; `nil`: one that begins with `token-`.
    ///   - services: patterns of the services that it may change; empty: all.
    public init(name: String?, role: Role, services: [String]) throws(Failure) {
        if let name, !Token.isName(name) {
            throw Failure(
                description: "the name '\(name.prefix(80))' must have 1 to \(Token.maximumNameLength) "
                    + "printable characters of ASCII without blanks, quotes and backslashes")
        }
        if role != .write, !services.isEmpty {
            throw Failure(description: "services are for the role write: \(role.rawValue) has no use for them")
        }
        var patterns: [NamePattern] = []
        for text in services {
            guard let pattern = NamePattern(text) else {
                throw Failure(
                    description: "'\(text.prefix(80))' is no service's name: such as orders, orders* or *")
            }
            patterns.append(pattern)
        }
        var random = SystemRandomNumberGenerator()
        var secret: String
        repeat {
            secret = Self.base64URL((0..<32).map { _ in UInt8.random(in: 0...255, using: &random) })
            // On a command line it would be taken for an option.
        } while secret.hasPrefix("-")
        self.secret = secret
        let hash = TokenHash(of: secret.utf8).hexadecimal
        var members = "name: \(Self.quoted(name ?? "token-\(hash.prefix(8))")), sha256: \(hash), role: \(role.rawValue)"
        if role == .write {
            let all = patterns.isEmpty ? ["*"] : patterns.map(\.description)
            members += ", services: [\(all.map(Self.quoted).joined(separator: ", "))]"
        }
        line = "- {\(members)}"
    }

    /// A text as YAML that is a string, whatever it looks like.
    private static func quoted(_ text: String) -> String { "\"\(text)\"" }

    /// Base64 with `-` and `_`, without padding.
    private static func base64URL(_ octets: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        var bits = 0
        var value = 0
        for octet in octets {
            value = value << 8 | Int(octet)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(digits[value >> bits & 63])
            }
            value &= (1 << bits) - 1
        }
        if bits > 0 { text.append(digits[value << (6 - bits) & 63]) }
        return String(decoding: text, as: UTF8.self)
    }
}
