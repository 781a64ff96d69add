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
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.queries(request.target) },
        Endpoint(
            .get, "/api/v1/explain", access: .read, parameters: ExplainQuery.parameterNames, needsRegistry: true,
            operation: """
                operationId: explain
                summary: Tell why a name is answered as it is.
                description: |
                  What the client that sends this request would be answered now by this node, asked of the DNS workers
                  themselves, and which instances are in the answer or left out.
                parameters:
                  - name: name
                    in: query
                    required: true
                    description: The domain name, without escapes; 255 octets at most, 63 in a label.
                    schema: {type: string, minLength: 1, maxLength: 1020, examples: [orders.service.kong]}
                  - name: type
                    in: query
                    description: In upper or lower case. Default - A, AAAA, and SRV for names in the domain.
                    schema:
                      type: string
                      maxLength: 16
                      anyOf:
                        - enum: [\(ExplainQuery.typeNames)]
                        - pattern: '^TYPE(\(DurationPattern.number(1...65535)))$'
                responses:
                  '200':
                    description: The answers and their reasons.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Explanation'}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.explain(request.target, from: request.client) },
    ]
}
