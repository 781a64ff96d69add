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
                    content:
                      text/plain:
                        schema: {type: string}
                        example: |
                          # HELP kong_discovery_ready Whether DNS answers from a loaded registry: 1 or 0.
                          # TYPE kong_discovery_ready gauge
                          kong_discovery_ready 1
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, _ in await api.metrics() }
    ]
}
