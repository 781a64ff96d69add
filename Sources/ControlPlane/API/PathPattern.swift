/// The path of an endpoint: segments, of which `{id}` stands for any that is not empty.
struct PathPattern: Sendable, Equatable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// As it was written.
    let description: String
    private let segments: [String]

    init(stringLiteral path: String) {
        description = path
        segments = path.split(separator: "/").map { String($0) }
    }

    /// Whether it has an `{id}`.
    var hasID: Bool { segments.contains("{id}") }

    /// How many segments it has.
    var length: Int { segments.count }

    /// Whether a path is one of these.
    ///
    /// - Returns: what stands for `{id}`, empty where there is none; `nil`: it is another path.
    func match(_ path: [String]) -> String? {
        guard path.count == segments.count else { return nil }
        var id = ""
        for (segment, given) in zip(segments, path) where segment != given {
            guard segment == "{id}", !given.isEmpty else { return nil }
            id = given
        }
        return id
    }
}
