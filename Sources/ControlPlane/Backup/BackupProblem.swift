/// Why a text is no whole backup, or can't be taken in: what is wrong, where, and what to do.
struct BackupProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// The line, counted from 1; `nil`: it is about the whole.
    var line: Int?
    /// What is wrong, and what to do.
    var reason: String

    /// All of it in one line.
    var description: String { line.map { "line \($0): \(reason)" } ?? reason }

    static let anotherCopy = "use another copy of the backup"

    static let empty = BackupProblem(reason: "it is empty; \(anotherCopy)")

    static let noHeader = BackupProblem(
        line: 1,
        reason: "this is no backup of kong-discovery: its first line is not the header that 'kong-discovery backup' "
            + "writes ('services import' takes lists of instances)")

    static func compressed(_ program: String) -> BackupProblem {
        BackupProblem(line: 1, reason: "it is compressed: restore what '\(program)' makes of it")
    }

    static func newer(_ formatVersion: Int, by productVersion: String) -> BackupProblem {
        let writer = productVersion.isEmpty ? "" : " by kong-discovery \(productVersion)"
        return BackupProblem(
            line: 1,
            reason: "it was written in version \(formatVersion) of the format\(writer), and this server reads version "
                + "\(BackupFormat.version): restore it with that version of kong-discovery, or a newer one")
    }

    static func cut(afterLine line: Int) -> BackupProblem {
        BackupProblem(
            reason: "it ends after line \(line), without the end line that each backup has, so it was cut off; "
                + anotherCopy)
    }

    static func damaged(_ line: Int, _ what: String) -> BackupProblem {
        BackupProblem(line: line, reason: "\(what); \(anotherCopy)")
    }
}
