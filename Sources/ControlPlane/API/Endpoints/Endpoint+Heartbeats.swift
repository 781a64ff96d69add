import HTTPTypes

extension Endpoint {
    /// Endpoints that keep instances alive.
    static let heartbeats: [Endpoint] = [
        Endpoint(
            .put, "/api/v1/services/{id}/heartbeat", access: .write, limit: .heartbeats,
            needsRegistry: true,
            operation: """
                operationId: heartbeat
                summary: Give an instance a whole ttl again.
                responses:
                  '200':
                    description: Renewed.
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [id, expires_at]
                          properties:
                            id: {$ref: '#/components/schemas/ID'}
                            expires_at: {type: [string, 'null'], format: date-time, description: 'null: never.'}
                """
        ) { api, request in api.heartbeat(request) },
        Endpoint(
            .post, "/api/v1/heartbeats", access: .write, limit: .heartbeats,
            body: .json(maximumOctets: 16 * 1024 * 1024), needsRegistry: true,
            operation: """
                operationId: heartbeats
                summary: Give many instances a whole ttl again.
                requestBody:
                  required: true
                  content:
                    application/json:
                      schema:
                        type: object
                        required: [ids]
                        additionalProperties: false
                        properties:
                          ids:
                            type: array
                            maxItems: \(HeartbeatsRequest.maximumIDs)
                            items: {type: string, examples: [orders-1]}
                responses:
                  '200':
                    description: |
                      An id that was given twice counts once. Unknown instances have to register again. Those that the
                      token may not change are forbidden; without any there is no such member.
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [renewed, unknown]
                          properties:
                            renewed: {type: integer, minimum: 0, maximum: \(HeartbeatsRequest.maximumIDs)}
                            unknown: {type: array, items: {type: string}}
                            forbidden: {type: array, items: {type: string}}
                """
        ) { api, request in api.heartbeats(request) },
    ]
}
