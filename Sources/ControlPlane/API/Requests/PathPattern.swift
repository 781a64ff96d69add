/// The path of an endpoint: segments, of which one in braces, such as `{id}`, stands for any that is not empty.
struct PathPattern: Sendable, Equatable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// As it was written.
    let description: String
    private let segments: [String]
    private let places: [Int]

    init(stringLiteral path: String) {
        description = path
        // "/" has one, which is empty, as in RequestTarget.
        segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        places = segments.indices.filter { [segments] in segments[$0].hasPrefix("{") }
    }

    /// The names of its variables, in order, without braces.
    var variables: [String] { places.map { String(segments[$0].dropFirst().dropLast()) } }

    /// How many segments it has.
    var length: Int { segments.count }

    /// Matches a path.
    ///
    /// - Returns: the segments in place of its variables, in order; `nil`: no match.
    func match(_ path: [String]) -> [String]? {
        guard path.count == segments.count else { return nil }
        // The last segments differ most.
        for place in path.indices.reversed() where !places.contains(place) && path[place] != segments[place] {
            return nil
        }
        let values = places.map { path[$0] }
        return values.contains("") ? nil : values
    }
}
