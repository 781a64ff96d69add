/// An instance for people.
enum InstanceText {
    /// `10.0.0.1:80` or `[fd00::1]:80`.
    static func address(_ instance: JSONReading) -> String {
        let ip = instance["ip"].shown
        return "\(ip.contains(":") ? "[\(ip)]" : ip):\(instance["port"].number ?? 0)"
    }

    /// All that is known of it, as lines.
    static func details(_ instance: JSONReading, _ style: Style) -> [String] {
        let tags = instance["tags"].elements.map(\.shown).joined(separator: ", ")
        let ttl = instance["ttl"].number ?? 0
        let fields = [
            ("name", style.paint(instance["name"].shown, .strong)), ("id", instance["id"].shown),
            ("address", "\(address(instance)), \(instance["protocol"].shown)"),
            ("status", style.paint(word: instance["status"].shown)), ("tags", tags.isEmpty ? "-" : tags),
            ("weight", "\(instance["weight"].shown), priority \(instance["priority"].shown)"),
            ("ttl", ttl == 0 ? "none: it needs no heartbeats" : "\(ttl) s, expires \(instance["expires_at"].shown)"),
            ("dns_ttl", "\(instance["dns_ttl"].shown) s"), ("registered", instance["registered_at"].shown),
            ("heartbeat", instance["last_heartbeat"].shown),
        ]
        var lines = fields.map { name, value in padded(name, to: 12) + value }
        for entry in instance["metadata"].members {
            lines.append("metadata    \(entry.name.escapingControls): \(JSONReading(entry.value).shown)")
        }
        for check in instance["checks"].elements {
            let kind = check["type"].shown
            lines.append(
                "check       \(check["name"].shown) (\(kind)): \(style.paint(word: check["status"].shown)) since "
                    + "\(check["since"].shown) \(check["output"].text?.escapingControls ?? "")")
        }
        return lines
    }

    /// A text with blanks behind it, up to some cells.
    static func padded(_ text: String, to cells: Int) -> String {
        text + String(repeating: " ", count: max(0, cells - text.cells))
    }
}
