/// Somebody who may use the API: one entry of the tokens file.
final class Token: Sendable {
    /// How its holder proves to be the one.
    enum Credential: Sendable, Hashable {
        /// By a bearer token with this hash.
        case hash(TokenHash)
        /// By a client certificate with this subject, which TLS has verified.
        case subject(String)
    }

    /// The most characters of a name.
    static let maximumNameLength = 64
    /// The most characters of a subject.
    static let maximumSubjectLength = 512

    /// Tells it from others in logs: printable ASCII without blanks, quotes and backslashes.
    let name: String
    let credential: Credential
    let role: Role
    /// The services that it may change; empty: all. For the role write only.
    let services: [NamePattern]

    init(name: String, credential: Credential, role: Role, services: [NamePattern] = []) {
        self.name = name
        self.credential = credential
        self.role = role
        self.services = services.contains(where: \.isEverything) ? [] : services
    }

    /// Whether a text can be a token's name. It gets into log lines as it is.
    static func isName(_ text: String) -> Bool {
        (1...maximumNameLength).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x27 && $0 != 0x5C }
    }

    /// Whether it may change a service, by its name in lower case.
    func mayChange(_ service: String) -> Bool {
        switch role {
        case .read: false
        case .write: services.isEmpty || services.contains { $0.matches(service) }
        case .admin: true
        }
    }
}

extension Token: Equatable {
    /// Whether they say the same.
    static func == (one: Token, other: Token) -> Bool {
        one === other
            || one.name == other.name && one.credential == other.credential && one.role == other.role
                && one.services == other.services
    }
}
