import Testing

@testable import ControlPlane

/// Tables, and what they know of terminals.
@Suite struct TableTests {
    private static let columns = [
        Table.Column(title: "NAME", minimum: 6), Table.Column(title: "ADDRESS"),
        Table.Column(title: "WEIGHT", leftOut: 1, isRight: true), Table.Column(title: "TAGS", minimum: 4, leftOut: 2),
        Table.Column(title: "ID"),
    ]
    private static let rows = [
        ["orders", "10.0.0.1:8080", "100", "blue,green,eu-west", "o1"],
        ["billing-service", "[fd00::1]:80", "5", "-", "b"],
    ]

    private func lines(_ columns: Int?, isColoured: Bool = false) -> [String] {
        var terminal = Terminal(size: nil) { _ in nil }
        terminal.columns = columns
        terminal.isColoured = isColoured
        var table = Table(Self.columns, for: terminal)
        return table.lines(Self.rows.map { $0.map { Table.Cell($0) } }, hasTitles: true)
    }

    @Test func `without a terminal nothing is cut, and no line ends with blanks`() {
        #expect(
            lines(nil) == [
                "NAME             ADDRESS        WEIGHT  TAGS                ID",
                "orders           10.0.0.1:8080     100  blue,green,eu-west  o1",
                "billing-service  [fd00::1]:80        5  -                   b",
            ])
    }

    @Test func `a narrow terminal has texts cut, then columns left out, the least important first`() {
        #expect(
            lines(52) == [
                "NAME         ADDRESS        WEIGHT  TAGS          ID",
                "orders       10.0.0.1:8080     100  blue,green,…  o1",
                "billing-se…  [fd00::1]:80        5  -             b",
            ])
        #expect(lines(32)[1] == "orders  10.0.0.1:8080  blue…  o1")
        #expect(lines(28)[1] == "orders     10.0.0.1:8080  o1")
        // What may neither be cut nor left out stays.
        #expect(lines(5)[1] == "orders  10.0.0.1:8080  o1")
        for width in 28...70 { #expect(lines(width).allSatisfy { $0.cells <= width }, "\(width)") }
    }

    @Test func `colours take no room`() {
        let plain = lines(52)
        let coloured = lines(52, isColoured: true)
        #expect(coloured[0].hasPrefix("\u{1B}[1mNAME\u{1B}[0m"))
        #expect(coloured.map { $0.replacing(/\u{1B}\[[0-9]*m/, with: "") } == plain)
    }

    @Test func `rows that come later make columns wider, and fixed widths are there from the beginning`() {
        let columns = [Table.Column(title: "A", usual: 4), Table.Column(title: "B")]
        var table = Table(columns, for: Terminal(size: nil) { _ in nil })
        #expect(table.lines([["a", "b"].map { Table.Cell($0) }], hasTitles: true) == ["A     B", "a     b"])
        #expect(table.lines([["a-long-text", "b"].map { Table.Cell($0) }], hasTitles: false) == ["a-long-text  b"])
        #expect(table.lines([["a", "b"].map { Table.Cell($0) }], hasTitles: false) == ["a            b"])
    }

    @Test(arguments: [
        ("orders", 6), ("注文", 4), ("ｆｕｌｌ", 8), ("e\u{301}", 1), ("🚀", 2), ("한국", 4), ("", 0), ("…", 1),
    ])
    func `a text has the cells that a terminal shows`(text: String, cells: Int) {
        #expect(text.cells == cells)
    }

    @Test func `a cut text never has more cells than there are`() {
        #expect("注文サービス".cut(toCells: 6) == "注文…")
        #expect("注文サービス".cut(toCells: 12) == "注文サービス")
        #expect("orders".cut(toCells: 1) == "…" && "orders".cut(toCells: 0) == "")
        for limit in 0...14 { #expect("a注e\u{301}文🚀b".cut(toCells: limit).cells <= limit) }
    }

    @Test func `colours are for terminals, and not with NO_COLOR or a dumb one`() {
        func terminal(_ environment: [String: String], size: (Int, Int)? = (100, 30)) -> Terminal {
            Terminal(size: size) { environment[$0] }
        }
        #expect(terminal([:]).isColoured && terminal(["TERM": "xterm", "NO_COLOR": ""]).isColoured)
        #expect(!terminal(["NO_COLOR": "1"]).isColoured && !terminal(["TERM": "dumb"]).isColoured)
        #expect(!terminal([:], size: nil).isColoured && terminal(["COLUMNS": "60"], size: nil).columns == nil)
        #expect(terminal([:]).columns == 100 && terminal(["COLUMNS": "60"]).columns == 60)
        #expect(terminal(["COLUMNS": "-3"]).columns == 100 && terminal([:], size: (0, 0)).columns == 80)
        #expect(terminal([:], size: (0, 0)).rows == 24)
    }
}
