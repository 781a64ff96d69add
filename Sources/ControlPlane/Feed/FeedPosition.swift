/// A place in a feed, which means nothing in another one: the process's identity and an index. Opaque to clients.
struct FeedPosition: Sendable, Equatable {
    var identity: UInt64
    /// The index of the last change that is behind it.
    var index: UInt64

    init(identity: UInt64, index: UInt64) {
        self.identity = identity
        self.index = index
    }

    /// Reads what ``text`` has written; `nil` for any other text.
    init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 16, (1...20).contains(parts[1].count),
            parts[1].allSatisfy({ (48...57).contains($0) }),
            let identity = UInt64(Substring(parts[0]), radix: 16), let index = UInt64(Substring(parts[1]))
        else { return nil }
        self.init(identity: identity, index: index)
        if self.text != text { return nil }
    }

    /// As in the `id` field of an event.
    var text: String { Self.prefix(identity: identity) + index.description }

    /// What the texts of all positions in a feed begin with; the index follows.
    static func prefix(identity: UInt64) -> String {
        let digits = String(identity, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits + "-"
    }
}
