import HTTPTypes

extension Endpoint {
    /// Endpoints by which others discover what is registered, besides DNS.
    static let targets: [Endpoint] = [
        Endpoint(
            .get, "/api/v1/sd/prometheus", access: .read, parameters: TargetsQuery.parameterNames, needsRegistry: true,
            operation: """
                operationId: prometheusTargets
                summary: List all instances as targets for Prometheus (http_sd).
                description: |
                  Whatever their status, which is one of the labels: relabeling decides which are scraped. There are no
                  pages.
                parameters:
                  - name: name
                    in: query
                    description: Instances of this service only.
                    schema: {type: string, minLength: 1}
                  - name: tag
                    in: query
                    description: Instances with this tag only.
                    schema: {type: string, minLength: 1}
                responses:
                  '200':
                    description: A group for each instance, in the order of their registration.
                    headers: {X-Registry-Index: {$ref: '#/components/headers/RegistryIndex'}}
                    content:
                      application/json:
                        schema: {type: array, items: {$ref: '#/components/schemas/TargetGroup'}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.targets(request) }
    ]
}
