/// Events for people: one a line.
enum EventRow {
    static let columns = [
        Table.Column(title: "TIME", leftOut: 1, usual: 24), Table.Column(title: "EVENT", usual: 12),
        Table.Column(title: "NAME", minimum: 8, usual: 16),
        Table.Column(title: "ADDRESS", usual: 16), Table.Column(title: "STATUS", usual: 8),
        Table.Column(title: "REASON", minimum: 8, usual: 12),
        Table.Column(title: "ID", minimum: 8, leftOut: 0),
    ]

    /// The cells of an event.
    static func cells(_ event: String, _ data: JSONReading) -> [Table.Cell] {
        let instance = data["instance"]
        let isInstance = !instance.members.isEmpty
        var reason = data["reason"].shown
        if let detail = data["detail"].text { reason += ": \(detail.escapingControls)" }
        if let policy = data["policy"].value {
            reason = policy.isNull ? "none" : String(decoding: policy.encoded, as: UTF8.self).escapingControls
        }
        return [
            Table.Cell(data["time"].shown, .faint), Table.Cell(word: event.escapingControls),
            Table.Cell(isInstance ? instance["name"].shown : data["name"].shown),
            Table.Cell(isInstance ? InstanceText.address(instance) : "-"), Table.Cell(word: instance["status"].shown),
            Table.Cell(reason), Table.Cell(instance["id"].shown),
        ]
    }
}
