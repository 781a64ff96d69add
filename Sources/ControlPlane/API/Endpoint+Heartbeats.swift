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
                            id: {type: string}
                            expires_at: {type: [string, 'null'], format: date-time}
                  '404':
                    $ref: '#/components/responses/Unknown'
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
                          ids: {type: array, maxItems: \(HeartbeatsRequest.maximumIDs), items: {type: string}}
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
                            renewed: {type: integer}
                            unknown: {type: array, items: {type: string}}
                            forbidden: {type: array, items: {type: string}}
                  '400': {$ref: '#/components/responses/Malformed'}
                  '413': {$ref: '#/components/responses/TooLarge'}
                  '415': {$ref: '#/components/responses/UnsupportedType'}
                  '422': {$ref: '#/components/responses/Invalid'}
                """
        ) { api, request in api.heartbeats(request) },
    ]
}
