/// Instances as comma-separated values: the first row names the fields.
enum CSVInstances {
    /// The fields, in the order in which they are written.
    static let fields = [
        "id", "name", "ip", "port", "protocol", "tags", "metadata", "weight", "priority", "ttl", "dns_ttl", "checks",
        "status",
    ]
    /// Fields that say what is so, and change nothing.
    private static let readOnly: Set<String> = ["status", "registered_at", "last_heartbeat", "expires_at"]
    private static let numbers: Set<String> = ["port", "weight", "priority", "ttl", "dns_ttl"]

    /// What is wrong with a first row, or `nil`.
    static func problem(withHeader header: [String]) -> String? {
        for (index, name) in header.enumerated() {
            guard fields.contains(name) || readOnly.contains(name) else {
                return "the column '\(name)' is none of \(fields.joined(separator: ", "))"
            }
            if header[..<index].contains(name) { return "the column '\(name)' is there twice" }
        }
        let missing = ["name", "ip", "port"].filter { !header.contains($0) }
        return missing.isEmpty
            ? nil : "the first row must name the columns; missing: \(missing.joined(separator: ", "))"
    }

    /// The instance of a row. An empty field is not given.
    static func instance(_ row: [String], header: [String]) -> Result<JSONValue, ImportRefusal> {
        guard row.count == header.count else {
            return .failure(ImportRefusal("has \(row.count) fields, but the first row has \(header.count)"))
        }
        var members: [JSONMember] = []
        for (name, text) in zip(header, row) where !text.isEmpty {
            if readOnly.contains(name), name != "status" { continue }
            let value: JSONValue
            switch name {
            case "tags":
                let tags = text.split { $0 == " " || $0 == ";" }
                value = .array(tags.map { .string(String($0)) })
            case "metadata", "checks":
                guard let parsed = try? JSONParser.parse(Array(text.utf8)) else {
                    return .failure(ImportRefusal("\(name) must be JSON"))
                }
                value = parsed
            default: value = numbers.contains(name) ? Int(text).map { .integer($0) } ?? .string(text) : .string(text)
            }
            members.append(JSONMember(name: name, value: value))
        }
        return .success(.object(members))
    }

    /// The row of an instance.
    static func row(_ instance: JSONReading) -> String {
        fields.map { name in
            let value = instance[name]
            let text =
                switch value.value {
                case .array(let elements) where name == "tags":
                    elements.map { JSONReading($0).text ?? "" }.joined(separator: " ")
                case .array(let elements): elements.isEmpty ? "" : self.text(.array(elements))
                case .object(let members): members.isEmpty ? "" : self.text(.object(members))
                case .string(let text): text
                case .integer(let number): "\(number)"
                default: ""
                }
            return CSVReader.written(text)
        }.joined(separator: ",")
    }

    private static func text(_ value: JSONValue) -> String { String(decoding: value.encoded, as: UTF8.self) }
}
