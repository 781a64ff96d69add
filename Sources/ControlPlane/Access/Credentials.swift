/// What a request presents to prove who sends it (RFC 6750 §2.1).
enum Credentials: Sendable, Equatable {
    /// Nothing.
    case none
    /// A bearer token.
    case bearer(Substring)
    /// Credentials of another scheme, such as Basic.
    case otherScheme
    /// Something that can't be read, in words that name no secret.
    case malformed(String)

    /// The most octets of a token.
    static let maximumTokenOctets = 4096

    /// Reads the `Authorization` fields of a request.
    init(_ fields: [String]) {
        guard let field = fields.first else {
            self = .none
            return
        }
        guard fields.count == 1 else {
            self = .malformed("Authorization is given twice")
            return
        }
        func isBlank(_ octet: UInt8) -> Bool { octet == 0x20 || octet == 0x09 }
        let text = field.utf8.drop(while: isBlank)
        let scheme = text.prefix { !isBlank($0) }
        if scheme.isEmpty {
            self = .malformed("Authorization is empty")
            return
        }
        // A scheme's name may be in any case (RFC 9110 §11.1).
        guard scheme.count == 6, zip(scheme, "bearer".utf8).allSatisfy({ $0 | 0x20 == $1 }) else {
            self = .otherScheme
            return
        }
        var token = text[scheme.endIndex...].drop(while: isBlank)
        while let last = token.last, isBlank(last) { token.removeLast() }
        if token.isEmpty {
            self = .malformed("there is no token behind Bearer")
        } else if token.count > Self.maximumTokenOctets {
            self = .malformed("the token has more than \(Self.maximumTokenOctets) octets")
        } else if !token.allSatisfy({ (0x21...0x7E).contains($0) }) {
            self = .malformed("the token has blanks or other characters that no token has")
        } else {
            self = .bearer(Substring(token))
        }
    }
}
