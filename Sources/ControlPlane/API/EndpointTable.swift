import HTTPTypes

/// The endpoints of an API. Routing, the methods that a path allows, and the API's description follow from it only.
struct EndpointTable: Sendable {
    let all: [Endpoint]

    /// An endpoint with its place in ``all``.
    typealias Placed = (place: Int, endpoint: Endpoint)

    /// The endpoints by the number of segments in their paths.
    private let byLength: [[Placed]]

    init(_ all: [Endpoint]) {
        self.all = all
        let longest = all.map(\.path.length).max() ?? 0
        byLength = (0...longest).map { length in
            all.enumerated().filter { $0.element.path.length == length }.map { ($0.offset, $0.element) }
        }
    }

    /// The result of a search.
    enum Match {
        case endpoint(Placed, variables: [String])
        /// The path allows only these methods.
        case otherMethods([HTTPRequest.Method])
        case nothing

        /// The place of the endpoint; `nil`: there is none.
        var place: Int? {
            if case .endpoint(let placed, _) = self { placed.place } else { nil }
        }
    }

    /// Finds the endpoint for a path.
    ///
    /// - Parameter path: its segments, decoded.
    func match(_ method: HTTPRequest.Method, _ path: [String]) -> Match {
        guard path.count < byLength.count else { return .nothing }
        let candidates = byLength[path.count]
        for placed in candidates
        where placed.endpoint.method == method || placed.endpoint.method == .get && method == .head {
            if let variables = placed.endpoint.path.match(path) { return .endpoint(placed, variables: variables) }
        }
        let methods = candidates.map(\.endpoint).filter { $0.path.match(path) != nil }.flatMap(\.methods)
        return methods.isEmpty ? .nothing : .otherMethods(methods)
    }
}

/// Endpoints, and how often each was answered.
struct CountedEndpoints: Sendable {
    let table: EndpointTable
    let counters: HTTPCounters

    init(_ table: EndpointTable) {
        self.table = table
        counters = HTTPCounters(endpoints: table.all.count)
    }
}
