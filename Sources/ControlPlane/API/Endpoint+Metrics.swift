import HTTPTypes

extension Endpoint {
    /// Endpoints for those who watch the server.
    static let metrics: [Endpoint] = [
        Endpoint(
            .get, "/metrics", access: .read,
            operation: """
                operationId: metrics
                summary: Show all figures in Prometheus' text format.
                responses:
                  '200':
                    description: Version 0.0.4 of the format.
                    content: {text/plain: {schema: {type: string}}}
                """
        ) { api, _ in await api.metrics() }
    ]
}
