import Testing

@testable import ControlPlane

@Suite struct TokenTableTests {
    @Test func `a hash is that of the SHA-256 standard, and is read as it is written`() throws {
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(TokenHash(of: "abc".utf8).hexadecimal == known)
        #expect(TokenHash(hexadecimal: known) == TokenHash(of: "abc".utf8))
        #expect(TokenHash(hexadecimal: known.uppercased()) == TokenHash(of: "abc".utf8))
        #expect(!TokenHash(of: "abc".utf8).masked.contains(known.dropFirst(8)))
        for bad in [
            "", "abc", String(known.dropLast()), known + "0", "g" + known.dropFirst(), "+" + known.dropFirst(),
            "0x" + known.dropFirst(2),
        ] {
            #expect(TokenHash(hexadecimal: bad) == nil, "\(bad)")
        }
    }

    @Test func `each token is found by its hash, and nothing by any other`() {
        let tokens = (0..<300).map { number in
            Token(
                name: "t\(number)",
                credential: number % 3 == 2 ? .subject("CN=\(number)") : .hash(TokenHash(of: "secret-\(number)".utf8)),
                role: .read)
        }
        let table = TokenTable(tokens)
        for (number, token) in tokens.enumerated() {
            #expect(table.token(token.credential) === token)
            #expect((table.token(TokenHash(of: "secret-\(number)".utf8)) === token) == (number % 3 != 2))
            #expect((table.token(subject: "CN=\(number)") === token) == (number % 3 == 2))
        }
        for other in ["", "secret-300", "secret-", "CN=2"] { #expect(table.token(TokenHash(of: other.utf8)) == nil) }
        #expect(TokenTable([]).token(TokenHash(of: "".utf8)) == nil)
    }

    @Test func `roles include each other, and services limit the one that writes`() throws {
        let pattern = try #require(NamePattern("orders*"))
        func token(_ role: Role, _ services: [NamePattern] = []) -> Token {
            Token(name: "t", credential: .subject("s"), role: role, services: services)
        }
        #expect(Role.read < .write && Role.write < .admin && !(Role.admin < .read))
        #expect(!token(.read).mayChange("orders"))
        #expect(token(.write).mayChange("users") && token(.admin).mayChange("users"))
        #expect(token(.write, [pattern]).mayChange("orders-eu") && !token(.write, [pattern]).mayChange("users"))
        #expect(Requester(token: token(.write, [pattern])).isLimited && Requester(token: token(.read)).isLimited)
        #expect(!Requester(token: token(.write)).isLimited && !Requester(token: token(.admin)).isLimited)
        #expect(!Requester().isLimited && Requester().isAdmin && Requester().mayChange("users"))
        #expect(!Requester(token: token(.write)).isAdmin)
    }

    @Test(
        arguments: [
            ([], .none), (["Bearer abc"], .bearer("abc")), (["bearer abc"], .bearer("abc")),
            (["BEARER\t abc  "], .bearer("abc")), (["  Bearer a=b/c+d~._-"], .bearer("a=b/c+d~._-")),
            (["Basic YTpi"], .otherScheme), (["abc"], .otherScheme), (["BearerX abc"], .otherScheme),
        ] as [([String], Credentials)])
    func `credentials are read`(fields: [String], expected: Credentials) {
        #expect(Credentials(fields) == expected)
    }

    @Test(arguments: [
        [""], ["  "], ["Bearer"], ["Bearer "], ["Bearer a b"], ["Bearer ä"], ["Bearer a\u{0}"],
        ["Bearer a", "Bearer a"], ["Bearer a", "bearer b"], ["Bearer " + String(repeating: "a", count: 4097)],
    ])
    func `credentials that can't be read are told from a missing token, without the token`(fields: [String]) {
        guard case .malformed(let reason) = Credentials(fields) else {
            Issue.record("\(Credentials(fields))")
            return
        }
        #expect(!reason.contains("aaaa") && !reason.contains("ä"))
    }

    @Test func `a new token is random, and its line is an entry of a tokens file`() throws {
        let first = try NewToken(name: "ci:1", role: .write, services: ["Orders*", "billing"])
        let second = try NewToken(name: nil, role: .read, services: [])
        #expect(first.secret != second.secret && first.secret.count == 43 && second.secret.count == 43)
        #expect(!first.line.contains(first.secret))
        let file = try TokensFile(path: "t.yaml", text: "\(first.line)\n\(second.line)\n")
        let table = TokenTable(file.tokens)
        let token = try #require(table.token(TokenHash(of: first.secret.utf8)))
        #expect(token.name == "ci:1" && token.role == .write)
        #expect(token.services.map(\.description) == ["orders*", "billing"])
        #expect(table.token(TokenHash(of: second.secret.utf8))?.role == .read)
        #expect(throws: NewToken.Failure.self) { try NewToken(name: "a b", role: .read, services: []) }
        #expect(throws: NewToken.Failure.self) { try NewToken(name: nil, role: .admin, services: ["orders"]) }
        #expect(throws: NewToken.Failure.self) { try NewToken(name: nil, role: .write, services: ["*a"]) }
        // RFC 4648 §5 of bits that end in the middle of a digit.
        #expect(
            first.secret.utf8.allSatisfy {
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8.contains($0)
            })
    }
}
