/// The path of an endpoint: segments, of which `{id}` stands for any that is not empty.
struct PathPattern: Sendable, Equatable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// As it was written.
    let description: String
    private let segments: [String]
    private let idPlace: Int?

    init(stringLiteral path: String) {
        description = path
        segments = path.split(separator: "/").map { String($0) }
        idPlace = segments.firstIndex(of: "{id}")
    }

    /// Whether it has an `{id}`.
    var hasID: Bool { idPlace != nil }

    /// How many segments it has.
    var length: Int { segments.count }

    /// Matches a path.
    ///
    /// - Returns: the segment in place of `{id}`, or an empty text if the pattern has none; `nil`: no match.
    func match(_ path: [String]) -> String? {
        guard path.count == segments.count else { return nil }
        // The last segments differ most.
        for place in path.indices.reversed() where place != idPlace && path[place] != segments[place] { return nil }
        guard let idPlace else { return "" }
        return path[idPlace].isEmpty ? nil : path[idPlace]
    }
}
