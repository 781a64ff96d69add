/// All tokens. It never changes: a changed file makes a new one.
final class TokenTable: Sendable {
    /// The most tokens there may be: each is compared with what a client presents.
    static let maximumCount = 4096

    let tokens: [Token]
    /// The hashes in a row, and the places of their tokens.
    private let hashes: [SIMD4<UInt64>]
    private let places: [Int]
    private let placesBySubject: [String: Int]

    /// - Parameter tokens: whose hashes and subjects all differ.
    init(_ tokens: [Token]) {
        self.tokens = tokens
        var hashes: [SIMD4<UInt64>] = []
        var places: [Int] = []
        var subjects: [String: Int] = [:]
        for (place, token) in tokens.enumerated() {
            switch token.credential {
            case .hash(let hash):
                hashes.append(hash.words)
                places.append(place)
            case .subject(let subject): subjects[subject] = place
            }
        }
        self.hashes = hashes
        self.places = places
        placesBySubject = subjects
    }

    /// The token with a hash. How long this takes depends on the number of tokens only: each is compared, as a whole.
    func token(_ hash: TokenHash) -> Token? {
        // One more than its place; 0: none.
        var found: UInt64 = 0
        for (place, other) in hashes.enumerated() {
            let unequal = other ^ hash.words
            let bits = unequal[0] | unequal[1] | unequal[2] | unequal[3]
            // All ones if no bit is set, else 0; without a branch.
            let isEqual = ((bits | (0 &- bits)) >> 63) &- 1
            found |= isEqual & UInt64(place + 1)
        }
        return found == 0 ? nil : tokens[places[Int(found) - 1]]
    }

    /// The token that a verified certificate's subject stands for. A subject is no secret.
    func token(subject: String) -> Token? { placesBySubject[subject].map { tokens[$0] } }

    /// The token with a credential.
    func token(_ credential: Token.Credential) -> Token? {
        switch credential {
        case .hash(let hash): token(hash)
        case .subject(let subject): token(subject: subject)
        }
    }
}
