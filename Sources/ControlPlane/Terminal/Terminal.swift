import Glibc

/// What standard output or standard error leads to.
struct Terminal: Sendable, Equatable {
    /// The cells of a line; `nil`: it is no terminal, and nothing is cut.
    var columns: Int?
    /// The lines; 24 if that is not known.
    var rows = 24
    /// Whether colours are wanted.
    var isColoured = false

    var style: Style { Style(isColoured: isColoured) }

    /// - Parameters:
    ///   - size: of the terminal; `nil`: it is none. Zeroes: it does not know.
    ///   - environment: gives a variable's value. `COLUMNS` goes before the terminal's own word.
    init(size: (columns: Int, rows: Int)?, environment: (String) -> String?) {
        guard let size else { return }
        let wanted = environment("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        columns = wanted ?? (size.columns > 0 ? size.columns : 80)
        if size.rows > 0 { rows = size.rows }
        // https://no-color.org: set and not empty.
        let isPlain = environment("NO_COLOR").map { !$0.isEmpty } ?? false
        isColoured = !isPlain && environment("TERM") != "dumb"
    }

    /// Standard output, as it is now: a window may change its size.
    static var output: Terminal { Terminal(descriptor: STDOUT_FILENO) }

    /// Standard error.
    static var errors: Terminal { Terminal(descriptor: STDERR_FILENO) }

    /// Whether standard input is a terminal.
    static var isInputTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    private init(descriptor: Int32) {
        var size: (Int, Int)?
        if isatty(descriptor) == 1 {
            var window = winsize()
            // Unsafe: fills one structure.
            size =
                unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0
                ? (Int(window.ws_col), Int(window.ws_row)) : (0, 0)
        }
        // Unsafe: copies a C string; nothing in this program changes the environment.
        self.init(size: size) { name in unsafe getenv(name).map { unsafe String(cString: $0) } }
    }
}
