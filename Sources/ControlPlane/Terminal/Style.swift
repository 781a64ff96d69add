/// How text is set off on a terminal.
struct Style: Sendable {
    /// What is meant; the words say it too.
    enum Tone: Sendable {
        case plain, strong, faint, good, warning, bad

        /// Select Graphic Rendition (ECMA-48 §8.3.117), in colours that light and dark terminals show.
        fileprivate var code: String {
            switch self {
            case .plain: ""
            case .strong: "1"
            case .faint: "2"
            case .good: "32"
            case .warning: "33"
            case .bad: "31"
            }
        }

        /// The tone of a status, a verdict or a response code.
        init(ofWord word: String) {
            switch word {
            case "passing", "pass", "NOERROR", "answered", "registered", "done": self = .good
            case "warning", "warn", "draining", "updated", "status", "policy": self = .warning
            case "critical", "fail", "NXDOMAIN", "SERVFAIL", "REFUSED", "expired", "deregistered": self = .bad
            case "-": self = .faint
            default: self = .plain
            }
        }
    }

    /// Whether there are colours at all.
    var isColoured: Bool

    static let none = Style(isColoured: false)

    /// A text in a tone.
    func paint(_ text: String, _ tone: Tone) -> String {
        isColoured && tone != .plain && !text.isEmpty ? "\u{1B}[\(tone.code)m\(text)\u{1B}[0m" : text
    }

    /// A word in the tone that it has by itself.
    func paint(word: String) -> String { paint(word, Tone(ofWord: word)) }
}
