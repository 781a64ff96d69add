/// The results of an instance's checks in a store: JSON.
enum StoredRecords {
    /// The results in a JSON value. What is no result is left out: the check then begins anew.
    static func results(_ value: JSONValue) -> [CheckRecord] {
        guard case .array(let elements) = value else { return [] }
        var results: [CheckRecord] = []
        for element in elements.prefix(Check.maximumCount) {
            if let result = result(element), !results.contains(where: { $0.name == result.name }) {
                results.append(result)
            }
        }
        return results
    }

    private static func result(_ value: JSONValue) -> CheckRecord? {
        guard case .object(let members) = value else { return nil }
        var name: String?
        var status: CheckStatus?
        var since: WallTime?
        var output = ""
        var duration: Int?
        var checkedAt: WallTime?
        for member in members {
            switch (member.name, member.value) {
            case ("name", .string(let text)): name = text
            case ("status", .string(let text)): status = CheckStatus(rawValue: text)
            case ("since_milliseconds", .integer(let number)): since = WallTime(checking: Int64(number))
            case ("output", .string(let text)): output = CheckRecord.printable(text)
            case ("duration_milliseconds", .integer(let number)): duration = max(0, number)
            case ("checked_at_milliseconds", .integer(let number)): checkedAt = WallTime(checking: Int64(number))
            default: continue
            }
        }
        guard let name, let status, let since else { return nil }
        return CheckRecord(
            name: name, status: status, since: since, output: output, durationMilliseconds: duration,
            checkedAt: checkedAt)
    }
}

extension JSONWriter {
    /// Stored results of checks as an array.
    mutating func results(_ results: [CheckRecord]) {
        beginArray()
        for result in results {
            beginObject()
            member("name")
            string(result.name)
            member("status")
            string(result.status.rawValue)
            member("since_milliseconds")
            integer(result.since.millisecondsSince1970)
            if !result.output.isEmpty {
                member("output")
                string(result.output)
            }
            if let duration = result.durationMilliseconds {
                member("duration_milliseconds")
                integer(duration)
            }
            if let checkedAt = result.checkedAt {
                member("checked_at_milliseconds")
                integer(checkedAt.millisecondsSince1970)
            }
            endObject()
        }
        endArray()
    }
}
