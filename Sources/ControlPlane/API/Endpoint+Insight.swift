import HTTPTypes

extension Endpoint {
    /// Endpoints that tell what DNS does, and why.
    static let insight: [Endpoint] = [
        Endpoint(
            .get, "/api/v1/queries", access: .read, parameters: QueriesQuery.parameterNames,
            operation: """
                operationId: queries
                summary: Show the names asked most, and the newest answers NXDOMAIN, SERVFAIL and REFUSED.
                description: |
                  By this node, for an hour or two. Each worker counts the first 256 queries of a second, and one in
                  about 64 of the others, which stands for those before it. A name has at least the queries shown.
                parameters:
                  - name: limit
                    in: query
                    description: How many names, and how many answers with each code, are shown at most.
                    schema: {type: integer, minimum: 1, maximum: 1000, default: 100}
                responses:
                  '200':
                    description: The most first, and the newest first.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Queries'}}}
                  '422': {$ref: '#/components/responses/Invalid'}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.queries(request.target) }
    ]
}
