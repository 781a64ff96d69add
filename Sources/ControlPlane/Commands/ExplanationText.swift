/// An explanation as text for people.
struct ExplanationText {
    private var lines: [String] = []
    private let terminal: Terminal
    private var style: Style { terminal.style }

    /// - Parameter terminal: what it is written for.
    init(_ explanation: JSONReading, for terminal: Terminal) {
        self.terminal = terminal
        var title = style.paint(explanation["name"].shown, .strong) + " (\(explanation["kind"].shown))"
        if let total = explanation["instances_total"].number, explanation["service"].text != nil {
            title += ", \(total) instance\(total == 1 ? "" : "s")"
        }
        lines.append(title)
        if let end = explanation["grace_ends_at"].text {
            lines.append(style.paint("SERVFAIL", .bad) + " until \(end.escapingControls), then dns.on_empty decides")
        }
        if let since = explanation["last_known"]["since"].text {
            let until = explanation["last_known"]["until"].shown
            lines.append("last known instances since \(since.escapingControls), until \(until) at most")
        }
        for note in explanation["notes"].elements { lines.append(Self.note(note)) }
        for answer in explanation["answers"].elements { add(answer) }
        let instances = explanation["instances"].elements
        if !instances.isEmpty { add(instances) }
        for upstream in explanation["upstreams"].elements {
            var line = "upstream \(upstream["address"].shown): \(upstream["health"].shown)"
            if let failure = upstream["last_failure"].text {
                line += ", last failure \(upstream["failed_at"].shown) (\(failure.escapingControls))"
            }
            lines.append(line)
        }
        let nearest = explanation["nearest"].elements.map { $0.shown }
        if !nearest.isEmpty { lines.append("did you mean \(nearest.joined(separator: ", "))?") }
    }

    /// The lines.
    var text: String { lines.joined(separator: "\n") + "\n" }

    private mutating func add(_ answer: JSONReading) {
        lines.append("")
        let code = style.paint(word: answer["code"].shown)
        lines.append("\(style.paint(answer["type"].shown, .strong))  \(code): \(answer["why"].shown)")
        for record in answer["records"].elements where record["section"].text == "answer" {
            lines.append(
                "    \(record["ttl"].number ?? 0) \(record["type"].shown) \(record["data"].shown)")
        }
        if answer["truncated_over_udp"].isTrue {
            lines.append("    too long for UDP without EDNS: the client has to ask again over TCP")
        }
        let workers = answer["workers"].elements
        if Set(workers.map { $0["first"].shown }).count > 1 {
            for worker in workers {
                lines.append("    worker \(worker["worker"].number ?? 0) begins with \(worker["first"].shown)")
            }
        }
        let cache = answer["cache"]
        if !cache.members.isEmpty {
            let state = cache["stale"].isTrue ? "expired" : "\(cache["ttl_seconds"].number ?? 0) s left"
            lines.append(
                "    cached: \(cache["code"].shown), \(cache["age_seconds"].number ?? 0) s old, \(state)")
        }
        if let time = answer["failed_at"].text {
            lines.append("    no upstream has answered at \(time.escapingControls)")
        }
    }

    private mutating func add(_ instances: [JSONReading]) {
        lines.append("")
        let types = instances[0]["answers"].members.map(\.name)
        let columns =
            [
                Table.Column(title: "INSTANCE", minimum: 8), Table.Column(title: "ADDRESS"),
                Table.Column(title: "STATUS"),
            ]
            + types.map { Table.Column(title: $0.escapingControls) } + [Table.Column(title: "EXPIRES", leftOut: 0)]
        let rows = instances.map { instance in
            [
                Table.Cell(instance["id"].shown), Table.Cell(InstanceText.address(instance)),
                Table.Cell(word: instance["status"].shown),
            ] + types.map { Table.Cell(word: instance["answers"][$0].shown) } + [
                Table.Cell(instance["expires_at"].shown)
            ]
        }
        var table = Table(columns, for: terminal)
        let tableLines = table.lines(rows, hasTitles: true)
        lines.append(tableLines[0])
        for (line, instance) in zip(tableLines.dropFirst(), instances) {
            lines.append(line)
            for check in instance["checks"].elements {
                lines.append(
                    "    check \(check["name"].shown): \(style.paint(word: check["status"].shown)) since "
                        + "\(check["since"].shown) \(check["output"].shown)")
            }
            for note in instance["notes"].elements { lines.append("    \(Self.note(note))") }
        }
    }

    private static func note(_ note: JSONReading) -> String {
        var line = "\(note["source"].shown): \(note["text"].shown)"
        if let since = note["since"].text { line += ", since \(since.escapingControls)" }
        if let until = note["until"].text { line += ", until \(until.escapingControls)" }
        return line
    }
}
