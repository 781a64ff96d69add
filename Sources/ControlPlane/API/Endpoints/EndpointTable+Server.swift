import HTTPTypes

extension EndpointTable {
    /// All endpoints of the server.
    static let server = EndpointTable(
        Endpoint.services + Endpoint.checks + Endpoint.heartbeats + Endpoint.events + Endpoint.state
            + Endpoint.policies + Endpoint.insight + Endpoint.metrics + Endpoint.cache + Endpoint.targets
            + Endpoint.backup + Endpoint.dashboard)

    /// The `paths` of the OpenAPI document.
    ///
    /// - Parameter needsToken: whether tokens are configured.
    func description(needsToken: Bool) -> String {
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
    private func security(of endpoint: Endpoint, needsToken: Bool) -> String {
        guard let role = endpoint.access.role else { return "      security: []\n" }
        let alternatives = (needsToken ? [] : ["{}"]) + ["{bearer: []}", "{certificate: []}"]
        return "      security: [\(alternatives.joined(separator: ", "))]\n      x-role: \(role.rawValue)\n"
    }
}
