/// Looks for a text in octets that come in pieces, and keeps none of them (Knuth, Morris and Pratt, 1977).
struct TextSearch: Sendable {
    private let text: [UInt8]
    /// For each octet of the text, the length of the longest start of the text that ends there, other than the whole.
    private let borders: [Int]
    private var matched = 0
    /// Whether the text has come.
    private(set) var isFound: Bool

    init(_ text: String) {
        let text = Array(text.utf8)
        var borders = [Int](repeating: 0, count: text.count)
        var length = 0
        for index in text.indices.dropFirst() {
            while length > 0, text[index] != text[length] { length = borders[length - 1] }
            if text[index] == text[length] { length += 1 }
            borders[index] = length
        }
        self.text = text
        self.borders = borders
        isFound = text.isEmpty
    }

    /// Takes the next piece.
    mutating func take(_ octets: some Sequence<UInt8>) {
        if isFound { return }
        for octet in octets {
            while matched > 0, octet != text[matched] { matched = borders[matched - 1] }
            if octet == text[matched] { matched += 1 }
            if matched == text.count {
                isFound = true
                return
            }
        }
    }
}
