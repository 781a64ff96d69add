/// A list of the API, which is read page by page.
struct PagedList: Sendable {
    /// The most elements of a page.
    private static let pageLength = 1000

    let api: APIClient
    let path: String
    /// What to list.
    var filter: APIClient.Query = []
    /// The member of an answer that has the elements.
    let member: String

    /// The instances that a filter selects.
    static func services(_ api: APIClient, _ filter: APIClient.Query = []) -> PagedList {
        PagedList(api: api, path: "/api/v1/services", filter: filter, member: "services")
    }

    /// The services.
    static func names(_ api: APIClient) -> PagedList {
        PagedList(api: api, path: "/api/v1/names", member: "names")
    }

    /// Writes the list as a JSON object with all elements, one a line: it may be longer than what fits into memory.
    ///
    /// - Parameters:
    ///   - limit: the most elements; `nil`: all.
    ///   - element: what is written of each.
    func writeJSON(
        limit: Int? = nil, _ write: ([UInt8]) throws -> Void,
        element: (JSONReading) -> JSONValue = { $0.value ?? .null }
    ) async throws {
        var separator = "{\"\(member)\":[\n"
        try await read(limit: limit) { elements in
            var octets: [UInt8] = []
            for each in elements {
                octets += Array(separator.utf8) + element(each).encoded
                separator = ",\n"
            }
            try write(octets)
            return true
        }
        try write(Array((separator == ",\n" ? "\n]}\n" : "{\"\(member)\":[]}\n").utf8))
    }

    /// Reads pages until the list or the limit ends.
    ///
    /// - Parameters:
    ///   - limit: the most elements; `nil`: all.
    ///   - wait: waits first until something is newer than an index, but no longer than this.
    ///   - body: is given the elements of each page that has any; `false` ends the reading.
    /// - Returns: the index to wait for next.
    @discardableResult
    func read(
        limit: Int? = nil, newerThan wait: (index: UInt64, time: Duration)? = nil,
        _ body: ([JSONReading]) throws -> Bool
    ) async throws -> UInt64? {
        var left = limit ?? .max
        var cursor: String?
        var index: UInt64?
        repeat {
            var query = filter + [("limit", "\(min(left, Self.pageLength))")]
            var timeout = api.access.timeout
            if let cursor {
                query.append(("cursor", cursor))
            } else if let wait {
                query += [("index", "\(wait.index)"), ("wait", wait.time.configurationText)]
                timeout += wait.time
            }
            let (page, answer) = try await api.get(path, query, timeout: timeout)
            if cursor == nil { index = answer.index }
            let elements = page[member].elements.prefix(left)
            left -= elements.count
            if !elements.isEmpty, try !body(Array(elements)) { break }
            let next = page["next_cursor"].text
            // A server that gives the same cursor again would be asked for ever.
            if let next, next == cursor { throw CommandFailure("\(api.access.url): the list does not go on") }
            cursor = next
        } while cursor != nil && left > 0
        return index
    }
}
