/// How a list looks for people.
struct ListForm: Sendable {
    let columns: [Table.Column]
    let row: @Sendable (JSONReading) -> [Table.Cell]
    /// What is said if it is empty.
    let nothing: String

    /// Instances.
    static let instances = ListForm(
        columns: [
            Table.Column(title: "NAME", minimum: 12), Table.Column(title: "ADDRESS"), Table.Column(title: "STATUS"),
            Table.Column(title: "WEIGHT", leftOut: 2, isRight: true),
            Table.Column(title: "PRIORITY", leftOut: 1, isRight: true),
            Table.Column(title: "TTL", leftOut: 3, isRight: true), Table.Column(title: "PROTOCOL", leftOut: 0),
            Table.Column(title: "TAGS", minimum: 8, leftOut: 4), Table.Column(title: "ID"),
        ],
        row: { instance in
            let tags = instance["tags"].elements.map(\.shown).joined(separator: ",")
            let ttl = instance["ttl"].number
            return [
                Table.Cell(instance["name"].shown), Table.Cell(InstanceText.address(instance)),
                Table.Cell(word: instance["status"].shown), Table.Cell(instance["weight"].shown),
                Table.Cell(instance["priority"].shown), Table.Cell(ttl == 0 ? "none" : instance["ttl"].shown),
                Table.Cell(instance["protocol"].shown), Table.Cell(tags.isEmpty ? "-" : tags),
                Table.Cell(instance["id"].shown),
            ]
        },
        nothing: "no instances")

    /// Services with how many instances they have.
    static let names = ListForm(
        columns: [Table.Column(title: "NAME", minimum: 12)]
            + ["PASSING", "WARNING", "CRITICAL", "DRAINING"].map { Table.Column(title: $0, isRight: true) },
        row: { name in
            func count(_ status: String) -> Table.Cell {
                let number = name[status].number ?? 0
                return Table.Cell("\(number)", number == 0 ? .faint : Style.Tone(ofWord: status))
            }
            return [Table.Cell(name["name"].shown)] + ["passing", "warning", "critical", "draining"].map(count)
        },
        nothing: "no services")
}
