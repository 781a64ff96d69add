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
                      schema:
                        type: object
                        required: [status]
                        additionalProperties: false
                        properties:
                          status: {$ref: '#/components/schemas/CheckStatus'}
                          output: {type: [string, 'null'], description: For people; 512 octets of it are kept.}
                responses:
                  '200':
                    description: The instance.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Instance'}}}
                  '400': {$ref: '#/components/responses/Malformed'}
                  '404': {$ref: '#/components/responses/Unknown'}
                  '413': {$ref: '#/components/responses/TooLarge'}
                  '415': {$ref: '#/components/responses/UnsupportedType'}
                  '422': {$ref: '#/components/responses/Invalid'}
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
                      schema:
                        description: Either an ip, or a name and perhaps a tag.
                        type: object
                        additionalProperties: false
                        properties:
                          ip: {type: [string, 'null']}
                          name: {anyOf: [{$ref: '#/components/schemas/Label'}, {type: 'null'}]}
                          tag: {anyOf: [{$ref: '#/components/schemas/Label'}, {type: 'null'}]}
                responses:
                  '200':
                    description: How many instances have changed.
                    content:
                      application/json:
                        schema: {type: object, required: [changed], properties: {changed: {type: integer}}}
                  '400': {$ref: '#/components/responses/Malformed'}
                  '413': {$ref: '#/components/responses/TooLarge'}
                  '415': {$ref: '#/components/responses/UnsupportedType'}
                  '422': {$ref: '#/components/responses/Invalid'}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.drain(request, isDraining) }
    }
}
