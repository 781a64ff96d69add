import HTTPTypes

extension Endpoint {
    /// Endpoints that give out and take in everything that is registered.
    static let backup: [Endpoint] = [
        Endpoint(
            .get, "/api/v1/backup", access: .admin, needsRegistry: true,
            operation: """
                operationId: backup
                summary: Get everything that is registered, in a form that any server takes in.
                description: |
                  One JSON object a line: a header, then all policies, then all instances as they were when the request
                  came, whatever changes meanwhile, and at the end their numbers and the SHA-256 of all octets before
                  the last line. Without that line it was cut off. Two can be made at once.
                responses:
                  '200':
                    description: The backup. It is made as it is read, and takes as long as the client does.
                    headers: {X-Registry-Index: {$ref: '#/components/headers/RegistryIndex'}}
                    content: {application/x-ndjson: {schema: {type: string}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.backup(request) },
        Endpoint(
            .post, "/api/v1/restore", access: .admin, streamed: BackupFormat.contentType,
            parameters: RestoreQuery.parameterNames, needsRegistry: true,
            operation: """
                operationId: restore
                summary: Take in a backup of any server, with any storage.
                description: |
                  Nothing is changed before all of it has come and its check sum is right. The instances are as they
                  were, draining or critical ones too, and each has a whole ttl from now on. It may be of any length,
                  as long as something of it comes every 30 s; the answer comes when all of it is restored.
                parameters:
                  - name: merge
                    in: query
                    description: |
                      Needed if anything is registered. That stays, unless the backup has an instance with the same id,
                      or a policy of the same service: those are replaced.
                    schema: {type: string, enum: ['true', 'false'], default: 'false'}
                requestBody:
                  required: true
                  content: {application/x-ndjson: {schema: {type: string}}}
                responses:
                  '200':
                    description: Restored.
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [instances, replaced, policies]
                          properties:
                            instances: {$ref: '#/components/schemas/Count'}
                            replaced: {$ref: '#/components/schemas/Count'}
                            policies: {$ref: '#/components/schemas/Count'}
                  '409':
                    description: The registry is not empty, or another backup is being restored.
                    content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                  '507':
                    description: No room for a backup while it is checked.
                    content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
                """
        ) { api, request in api.restore(request) },
    ]
}
