/// What has become of what is imported: counts, and a line on standard error for each item that was refused.
final class ImportReport {
    private(set) var registered = 0
    private(set) var replaced = 0
    private(set) var refused = 0
    private(set) var skipped = 0
    private let source: String
    private let isDryRun: Bool
    private let progress: ProgressLine

    init(source: String, isDryRun: Bool, terminal: Terminal = Terminal.errors) {
        self.source = source
        self.isDryRun = isDryRun
        progress = ProgressLine(terminal)
    }

    var hasRefused: Bool { refused > 0 }
    /// Whether the server has registered anything.
    var hasChanged: Bool { !isDryRun && registered + replaced > 0 }

    /// Counts an item that is registered.
    func count(isNew: Bool) {
        if isNew { registered += 1 } else { replaced += 1 }
    }

    /// Counts and names an item that is not imported.
    func refuse(_ item: ImportItem, _ refusal: ImportRefusal) {
        if refusal.isSkipped { skipped += 1 } else { refused += 1 }
        clear()
        let verb = refusal.isSkipped ? "left out: " : ""
        CommandRun.note("\(source.escapingControls): \(item.title): \(verb)\(refusal.reason)")
    }

    /// Shows how far it is, on a terminal.
    func showProgress() { progress.show(summary) }

    /// Takes the progress off the terminal.
    func clear() { progress.clear() }

    /// The counts in one line.
    var summary: String {
        var text = "\(registered) \(isDryRun ? "would be " : "")registered, \(replaced) replaced, \(refused) refused"
        if skipped > 0 { text += ", \(skipped) left out" }
        return text
    }

    /// Prints the counts.
    func print(isJSON: Bool) throws(CommandFailure) {
        clear()
        guard isJSON else { return try StandardOutput.write(summary + "\n") }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("dry_run")
        writer.bool(isDryRun)
        for (name, count) in [
            ("registered", registered), ("replaced", replaced), ("refused", refused), ("left_out", skipped),
        ] {
            writer.member(name)
            writer.integer(count)
        }
        writer.endObject()
        try StandardOutput.write(writer.octets + [0x0A])
    }
}
