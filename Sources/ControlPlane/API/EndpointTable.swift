import HTTPTypes

/// All endpoints: where a request leads to, what its path can be asked with, and how the API is described follow from
/// this table alone.
enum EndpointTable {
    static let all = Endpoint.services + Endpoint.heartbeats + Endpoint.state + Endpoint.cache

    /// By the number of their paths' segments.
    private static let byLength = Dictionary(grouping: all, by: \.path.length)

    /// Where a request leads to.
    enum Match {
        case endpoint(Endpoint, id: String)
        /// The path can be asked with these methods alone.
        case otherMethods([HTTPRequest.Method])
        case nothing
    }

    /// The endpoint of a path.
    ///
    /// - Parameter path: its segments, decoded.
    static func match(_ method: HTTPRequest.Method, _ path: [String]) -> Match {
        var methods: [HTTPRequest.Method] = []
        for endpoint in byLength[path.count] ?? [] {
            guard let id = endpoint.path.match(path) else { continue }
            if endpoint.method == method || endpoint.method == .get && method == .head {
                return .endpoint(endpoint, id: id)
            }
            methods += endpoint.methods
        }
        return methods.isEmpty ? .nothing : .otherMethods(methods)
    }

    /// The `paths` of the OpenAPI document.
    static var description: String {
        var text = ""
        for (index, endpoint) in all.enumerated() {
            if index == 0 || all[index - 1].path != endpoint.path {
                text += "  \(endpoint.path):\n"
                if endpoint.path.hasID { text += "    parameters:\n      - {$ref: '#/components/parameters/ID'}\n" }
            }
            text += "    \(endpoint.method.rawValue.lowercased()):\n"
            for line in endpoint.operation.split(separator: "\n", omittingEmptySubsequences: false) {
                text += line.isEmpty ? "\n" : "      \(line)\n"
            }
        }
        return text
    }
}
