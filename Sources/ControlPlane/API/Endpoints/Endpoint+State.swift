import HTTPTypes

extension Endpoint {
    /// Endpoints that report the server's state.
    static let state: [Endpoint] = [
        Endpoint(
            .get, "/api/v1/names", access: .read, parameters: NamesQuery.parameterNames, needsRegistry: true,
            operation: """
                operationId: listNames
                summary: List the services and the number of their instances.
                description: A name that exists throughout a walk over the pages is listed exactly once.
                parameters:
                  - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 1000, default: 100}}
                  - name: cursor
                    in: query
                    description: The next_cursor of the page before.
                    schema: {type: string, pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'}
                  - name: index
                    in: query
                    description: |
                      The X-Registry-Index of the answer before: waits until one of the names or numbers is newer.
                    schema: {$ref: '#/components/schemas/Count'}
                  - name: wait
                    in: query
                    description: |
                      How long to wait at most, up to 10m; without it 5m. Then the same list is answered. It needs an
                      index.
                    schema: {type: string, pattern: '\(ChangeWait.pattern)', examples: [30s]}
                responses:
                  '200':
                    description: In order of their names.
                    headers: {X-Registry-Index: {$ref: '#/components/headers/RegistryIndex'}}
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [names, next_cursor]
                          properties:
                            names: {type: array, maxItems: 1000, items: {$ref: '#/components/schemas/Name'}}
                            next_cursor: {type: [string, 'null']}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.names(request) },
        Endpoint(
            .get, "/api/v1/status", access: .read,
            operation: """
                operationId: status
                summary: Show the server's state at a glance.
                responses:
                  '200':
                    description: The state.
                    content: {application/json: {schema: {$ref: '#/components/schemas/ServerStatus'}}}
                """
        ) { api, _ in api.status() },
        Endpoint(
            .get, "/api/v1/health", access: .read,
            operation: """
                operationId: health
                summary: Show what works and what does not.
                responses:
                  '200':
                    description: It works; "warn" - DNS is answered, but something else fails.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Health'}}}
                  '503':
                    description: DNS is not answered.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Health'}}}
                """
        ) { api, _ in api.health() },
        Endpoint(
            .get, "/healthz", access: .open, limit: nil,
            operation: """
                operationId: alive
                summary: Tell that the process is alive.
                responses:
                  '200':
                    description: It is.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Alive'}}}
                """
        ) { _, _ in .json { writer in writer.statusObject("alive") } },
        Endpoint(
            .get, "/ready", access: .open, limit: nil,
            operation: """
                operationId: ready
                summary: Tell whether DNS answers from a loaded registry.
                responses:
                  '200':
                    description: It does.
                    content: {application/json: {schema: {$ref: '#/components/schemas/Ready'}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, _ in api.ready() },
        Endpoint(
            .get, "/openapi.yaml", access: .open,
            operation: """
                operationId: description
                summary: Show this document.
                responses:
                  '200': {description: This document., content: {application/yaml: {schema: {type: object}}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, _ in
            .text(
                api.access.isRequired ? OpenAPIDocument.textWithTokens : OpenAPIDocument.text,
                contentType: "application/yaml")
        },
    ]
}
