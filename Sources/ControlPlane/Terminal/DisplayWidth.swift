extension Unicode.Scalar {
    /// Blocks whose characters take two cells of a terminal (UAX #11, wide and fullwidth), from the first to the last.
    private static let wideBlocks: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x17000...0x18D8F, 0x1B000...0x1B2FF, 0x20000...0x3FFFD,
    ]

    /// How many cells of a terminal it takes: 0, 1 or 2.
    var cells: Int {
        if isASCII { return 1 }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        if properties.isEmojiPresentation { return 2 }
        return Self.wideBlocks.contains { $0.contains(value) } ? 2 : 1
    }
}

extension String {
    /// How many cells of a terminal the text takes.
    var cells: Int {
        if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.count }
        return reduce(0) { $0 + $1.cells }
    }

    /// The text in at most so many cells; a cut is shown by `…`.
    func cut(toCells limit: Int) -> String {
        guard cells > limit else { return self }
        guard limit > 0 else { return "" }
        var kept = ""
        var used = 1
        for character in self {
            if used + character.cells > limit { break }
            kept.append(character)
            used += character.cells
        }
        return kept + "…"
    }
}

extension Character {
    /// Marks that are combined with a letter take no cells of their own, nor do parts of an emoji.
    fileprivate var cells: Int { unicodeScalars.reduce(0) { Swift.max($0, $1.cells) } }
}
