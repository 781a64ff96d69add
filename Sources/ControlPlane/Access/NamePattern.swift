/// Names of services: one, those that begin alike (`orders*`), or all (`*`).
struct NamePattern: Sendable, Equatable, CustomStringConvertible {
    /// The whole name, or its start; in lower case, as names are stored.
    private let text: String
    private let isStart: Bool

    /// Reads a pattern; `nil` for a text that no name could match, such as one with `*` elsewhere than at its end.
    init?(_ pattern: String) {
        isStart = pattern.hasSuffix("*")
        let name = isStart ? pattern.dropLast() : pattern[...]
        let isLabel = name.utf8.allSatisfy { octet in
            switch octet {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D: true
            default: false
            }
        }
        guard isLabel, name.utf8.count <= 63, isStart || !name.isEmpty, name.utf8.first != 0x2D,
            isStart || name.utf8.last != 0x2D
        else { return nil }
        text = name.lowercased()
    }

    /// Whether it stands for every name.
    var isEverything: Bool { isStart && text.isEmpty }

    /// Whether a name, in lower case, is one of those.
    func matches(_ name: String) -> Bool { isStart ? name.hasPrefix(text) : name == text }

    var description: String { isStart ? text + "*" : text }
}
