import HTTPTypes

extension Endpoint {
    /// Endpoints of services' policies, and of what keeps services from being wrongly empty.
    static let policies: [Endpoint] = [
        Endpoint(
            .get, "/api/v1/names/{name}/policy", access: .read, needsRegistry: true,
            operation: """
                operationId: getPolicy
                summary: Show the policy of a service, as far as it differs from the server's settings.
                responses:
                  '200':
                    description: The policy.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Policy'}}}
                """
        ) { api, request in api.policy(of: request.id) },
        Endpoint(
            .put, "/api/v1/names/{name}/policy", access: .write, body: .json(maximumOctets: 1024 * 1024),
            needsRegistry: true,
            operation: """
                operationId: setPolicy
                summary: Replace the policy of a service as a whole; the service may come later.
                description: |
                  Only a token with the role admin may set, change or remove max_weight and min_priority; for others
                  they must be as they are.
                requestBody:
                  required: true
                  content:
                    application/json:
                      schema: {$ref: '#/components/schemas/Policy'}
                responses:
                  '200':
                    description: The policy, by which DNS answers now.
                    links:
                      get: {$ref: '#/components/links/GetPolicy'}
                      remove: {$ref: '#/components/links/RemovePolicy'}
                    content: {application/json: {schema: {$ref: '#/components/schemas/Policy'}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.setPolicy(request) },
        Endpoint(
            .delete, "/api/v1/names/{name}/policy", access: .write, needsRegistry: true,
            operation: """
                operationId: removePolicy
                summary: Remove the policy of a service, so that the server's settings hold.
                responses:
                  '204': {description: Gone.}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.removePolicy(request) },
        Endpoint(
            .post, "/api/v1/names/{name}/release", access: .write, needsRegistry: true,
            operation: """
                operationId: release
                summary: >-
                  Let those instances of a service go that the mass-expiry brake holds, or that are answered as its last
                  known ones (on_empty: last_known).
                responses:
                  '200':
                    description: How many have gone; 0 if there were none.
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [released]
                          properties: {released: {$ref: '#/components/schemas/Count'}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.release(request) },
    ]
}
