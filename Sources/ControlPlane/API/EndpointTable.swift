import HTTPTypes

/// All endpoints. Routing, the methods that a path allows, and the API's description follow from this table only.
enum EndpointTable {
    static let all =
        Endpoint.services + Endpoint.checks + Endpoint.heartbeats + Endpoint.events + Endpoint.state
        + Endpoint.policies + Endpoint.insight + Endpoint.metrics + Endpoint.cache + Endpoint.targets
        + Endpoint.backup + Endpoint.dashboard

    /// An endpoint with its place in ``all``.
    typealias Placed = (place: Int, endpoint: Endpoint)

    /// The endpoints by the number of segments in their paths.
    private static let byLength: [[Placed]] = {
        let longest = all.map(\.path.length).max() ?? 0
        return (0...longest).map { length in
            all.enumerated().filter { $0.element.path.length == length }.map { ($0.offset, $0.element) }
        }
    }()

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
    static func match(_ method: HTTPRequest.Method, _ path: [String]) -> Match {
        guard path.count < byLength.count else { return .nothing }
        let candidates = byLength[path.count]
        for placed in candidates
        where placed.endpoint.method == method || placed.endpoint.method == .get && method == .head {
            if let variables = placed.endpoint.path.match(path) { return .endpoint(placed, variables: variables) }
        }
        let methods = candidates.map(\.endpoint).filter { $0.path.match(path) != nil }.flatMap(\.methods)
        return methods.isEmpty ? .nothing : .otherMethods(methods)
    }

    /// The `paths` of the OpenAPI document.
    ///
    /// - Parameter needsToken: whether tokens are configured.
    static func description(needsToken: Bool) -> String {
        var text = ""
        for (index, endpoint) in all.enumerated() {
            if index == 0 || all[index - 1].path != endpoint.path {
                text += "  \(endpoint.path):\n"
                if !endpoint.path.variables.isEmpty { text += "    parameters:\n" }
                for variable in endpoint.path.variables {
                    text += "      - {$ref: '#/components/parameters/\(variable)'}\n"
                }
            }
            text += "    \(endpoint.method.rawValue.lowercased()):\n"
            for line in endpoint.operation.split(separator: "\n", omittingEmptySubsequences: false) {
                text += line.isEmpty ? "\n" : "      \(line)\n"
            }
            // Responses come last in an operation.
            text += ErrorResponse.lines(for: endpoint, needsToken: needsToken)
            text += security(of: endpoint, needsToken: needsToken)
        }
        return text
    }

    /// What an operation needs.
    private static func security(of endpoint: Endpoint, needsToken: Bool) -> String {
        guard let role = endpoint.access.role else { return "      security: []\n" }
        let alternatives = (needsToken ? [] : ["{}"]) + ["{bearer: []}", "{certificate: []}"]
        return "      security: [\(alternatives.joined(separator: ", "))]\n      x-role: \(role.rawValue)\n"
    }
}
