import HTTPTypes

extension Endpoint {
    /// Endpoints that manage the cache of upstreams' answers.
    static let cache: [Endpoint] = [
        Endpoint(
            .delete, "/api/v1/cache", access: .admin, parameters: CacheSelection.parameterNames,
            operation: """
                operationId: removeFromCache
                summary: Remove upstreams' answers, and failures, from the cache.
                parameters:
                  - name: name
                    in: query
                    description: The domain name whose answers go (RFC 1035 §5.1); all without it.
                    schema: {type: string, minLength: 1, maxLength: 1020, examples: [example.com]}
                  - name: subtree
                    in: query
                    description: Whether names below go too; true needs a name.
                    schema: {type: boolean, default: false}
                responses:
                  '200':
                    description: How many were removed.
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [removed]
                          properties: {removed: {$ref: '#/components/schemas/Count'}}
                """
        ) { api, request in api.removeFromCache(request.target) }
    ]
}
