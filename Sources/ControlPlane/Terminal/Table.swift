/// A table of text, which fits a terminal if there is one.
///
/// If it is too wide, texts are cut in the columns that allow it. If that is not enough, columns are left out, the
/// least important first.
struct Table {
    struct Column: Sendable {
        var title: String
        /// The cells to which its texts may be cut; `nil`: they are never cut.
        var minimum: Int?
        /// The place in the order in which columns are left out; `nil`: it always stays.
        var leftOut: Int?
        /// Whether it has numbers.
        var isRight = false
        /// The cells that it has from the beginning: rows that come one at a time are below each other then.
        var usual = 0
    }

    struct Cell: Sendable {
        var text: String
        var tone = Style.Tone.plain

        init(_ text: String, _ tone: Style.Tone = .plain) {
            self.text = text
            self.tone = tone
        }

        /// A word in the tone that it has by itself.
        init(word: String) { self.init(word, Style.Tone(ofWord: word)) }
    }

    private static let gap = 2

    private let columns: [Column]
    private let terminal: Terminal
    /// The cells of each column's widest text so far.
    private var widths: [Int]

    init(_ columns: [Column], for terminal: Terminal) {
        self.columns = columns
        self.terminal = terminal
        widths = columns.map { max($0.title.cells, $0.usual) }
    }

    /// The lines of some rows. Rows that come later may make columns wider, never narrower.
    ///
    /// - Parameters:
    ///   - rows: each has a cell for each column.
    ///   - hasTitles: whether the line of titles comes first.
    mutating func lines(_ rows: [[Cell]], hasTitles: Bool) -> [String] {
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.text.cells) }
        }
        let layout = layout
        let titles = columns.map { Cell($0.title, .strong) }
        return ((hasTitles ? [titles] : []) + rows).map { line($0, layout) }
    }

    /// The columns that are shown, with their cells.
    private var layout: [(column: Int, width: Int)] {
        let all = columns.indices.map { (column: $0, width: widths[$0]) }
        guard let limit = terminal.columns else { return all }
        func total(_ shown: [(column: Int, width: Int)]) -> Int {
            shown.reduce(0) { $0 + $1.width } + Self.gap * max(0, shown.count - 1)
        }
        func least(_ index: Int) -> Int { min(widths[index], columns[index].minimum ?? widths[index]) }
        var shown = all
        while total(shown.map { ($0.column, least($0.column)) }) > limit {
            let candidates = shown.filter { columns[$0.column].leftOut != nil }
            let first = candidates.min { columns[$0.column].leftOut ?? 0 < columns[$1.column].leftOut ?? 0 }
            guard let first else { break }
            shown.removeAll { $0.column == first.column }
        }
        // The widest of those that may be cut gives way, a cell at a time.
        while total(shown) > limit {
            let candidates = shown.indices.filter { shown[$0].width > least(shown[$0].column) }
            guard let widest = candidates.max(by: { shown[$0].width < shown[$1].width }) else { break }
            shown[widest].width -= 1
        }
        return shown
    }

    private func line(_ row: [Cell], _ layout: [(column: Int, width: Int)]) -> String {
        var line = ""
        var pending = 0
        for (column, width) in layout {
            let text = row[column].text.cut(toCells: width)
            let rest = width - text.cells
            let isRight = columns[column].isRight
            // Blanks at the end of a line are never written.
            if isRight { pending += rest }
            if !text.isEmpty {
                line += String(repeating: " ", count: pending) + terminal.style.paint(text, row[column].tone)
                pending = 0
            }
            pending += Self.gap + (isRight ? 0 : rest)
        }
        return line
    }
}
