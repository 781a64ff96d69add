import HTTPTypes

extension Endpoint {
    /// Endpoints by which instances come into DNS and leave it without being registered or deregistered.
    static let checks: [Endpoint] = [
        Endpoint(
            .put, "/api/v1/services/{id}/checks/{check}", access: .write, limit: .heartbeats,
            body: .json(maximumOctets: 64 * 1024), needsRegistry: true,
            operation: """
                operationId: reportCheck
                summary: Report the result of a check.
                description: |
                  That of a "ttl" check, or of any other one, which holds until its next own result. The status decides
                  at once whether DNS answers with the instance.
                requestBody:
                  required: true
                  content:
                    application/json:
                      schema: {$ref: '#/components/schemas/CheckReport'}
                responses:
                  '200':
                    description: The instance.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Instance'}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.report(request) },
        draining("drain", "drainServices", "Take all instances of a host or a service out of DNS.", true),
        draining("undrain", "undrainServices", "Put all instances of a host or a service back into DNS.", false),
    ]

    private static func draining(
        _ action: String, _ operationID: String, _ summary: String, _ isDraining: Bool
    ) -> Endpoint {
        Endpoint(
            .post, PathPattern(stringLiteral: "/api/v1/services/\(action)"), access: .write,
            body: .json(maximumOctets: 64 * 1024), needsRegistry: true,
            operation: """
                operationId: \(operationID)
                summary: \(summary)
                description: |
                  They stay registered. Instances that are registered later are not affected. A token must be allowed to
                  change all of them: if it may not change one, none is changed.
                requestBody:
                  required: true
                  content:
                    application/json:
                      schema: {$ref: '#/components/schemas/DrainSelection'}
                responses:
                  '200':
                    description: How many instances have changed.
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [changed]
                          properties: {changed: {$ref: '#/components/schemas/Count'}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.drain(request, isDraining) }
    }
}
