import HTTPTypes

extension Endpoint {
    /// Endpoints that change and list instances.
    static let services: [Endpoint] = [
        Endpoint(
            .get, "/api/v1/services", access: .read, parameters: ListQuery.parameterNames, needsRegistry: true,
            operation: """
                operationId: listServices
                summary: List instances in the order of their registration.
                description: |
                  An instance that exists throughout a walk over the pages is listed exactly once. A page may end before
                  its limit, at 1 MiB or where much had to be looked through, or have nothing: there is more as long as
                  next_cursor is not null.
                parameters:
                  - name: name
                    in: query
                    description: Instances of this service only.
                    schema: {type: string, minLength: 1}
                  - name: tag
                    in: query
                    description: Instances with this tag only.
                    schema: {type: string, minLength: 1}
                  - {name: status, in: query, schema: {$ref: '#/components/schemas/Status'}}
                  - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 1000, default: 100}}
                  - name: cursor
                    in: query
                    description: The next_cursor of the page before.
                    schema: {type: string, pattern: '^[0-9a-f]{16}$'}
                  - name: index
                    in: query
                    description: |
                      The X-Registry-Index of the answer before: waits until something that name, tag and status select
                      is newer, or no longer selected. An index above the present one, as after a restart, does not
                      wait.
                    schema: {$ref: '#/components/schemas/Count'}
                  - name: wait
                    in: query
                    description: |
                      How long to wait at most, up to 10m; without it 5m. Then the same list is answered. It needs an
                      index.
                    schema: {type: string, pattern: '\(ChangeWait.pattern)', examples: [30s]}
                responses:
                  '200':
                    description: A page.
                    headers: {X-Registry-Index: {$ref: '#/components/headers/RegistryIndex'}}
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [services, next_cursor]
                          properties:
                            services:
                              type: array
                              maxItems: 1000
                              items: {$ref: '#/components/schemas/Instance'}
                            next_cursor:
                              description: null on the last page.
                              type: [string, 'null']
                              pattern: '^[0-9a-f]{16}$'
                        example:
                          services:
                \(OpenAPIDocument.instanceExample(indentation: 12))
                          next_cursor: null
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.list(request) },
        Endpoint(
            .post, "/api/v1/services", access: .write, body: .json(maximumOctets: 1024 * 1024), needsRegistry: true,
            operation: """
                operationId: registerService
                summary: Register an instance, or replace the one with its id.
                description: |
                  Without an id, the same name, ip, port and protocol are the same instance, so a request may always be
                  repeated. A replaced instance gets a whole ttl again and stays draining if it was.
                requestBody:
                  required: true
                  content:
                    application/json:
                      schema: {$ref: '#/components/schemas/Registration'}
                responses:
                  '200':
                    description: Replaced.
                    headers: {Location: {$ref: '#/components/headers/Location'}}
                    links:
                      get: {$ref: '#/components/links/Get'}
                      change: {$ref: '#/components/links/Change'}
                      heartbeat: {$ref: '#/components/links/Heartbeat'}
                      deregister: {$ref: '#/components/links/Deregister'}
                    content: {application/json: {schema: {$ref: '#/components/schemas/Instance'}}}
                  '201':
                    description: Registered.
                    headers: {Location: {$ref: '#/components/headers/Location'}}
                    links:
                      get: {$ref: '#/components/links/Get'}
                      change: {$ref: '#/components/links/Change'}
                      heartbeat: {$ref: '#/components/links/Heartbeat'}
                      deregister: {$ref: '#/components/links/Deregister'}
                    content: {application/json: {schema: {$ref: '#/components/schemas/Instance'}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.register(request) },
        Endpoint(
            .post, "/api/v1/services/batch", access: .write, body: .json(maximumOctets: 16 * 1024 * 1024),
            needsRegistry: true,
            operation: """
                operationId: changeServices
                summary: Register and deregister many instances; a bad item hurts no other.
                requestBody:
                  required: true
                  content:
                    application/json:
                      schema: {$ref: '#/components/schemas/Batch'}
                responses:
                  '200':
                    description: A result for each item, registrations first, each in the order given.
                    links:
                      get: {$ref: '#/components/links/GetFirst'}
                      heartbeat: {$ref: '#/components/links/HeartbeatFirst'}
                      deregister: {$ref: '#/components/links/DeregisterFirst'}
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [results]
                          properties:
                            results:
                              type: array
                              maxItems: \(BatchRequest.maximumItems)
                              items: {$ref: '#/components/schemas/BatchResult'}
                        example:
                          results:
                            - {status: 201, id: orders-2}
                            - {status: 404, id: orders-3}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.batch(request) },
        Endpoint(
            .get, "/api/v1/services/{id}", access: .read, needsRegistry: true,
            operation: """
                operationId: getService
                summary: Show an instance.
                responses:
                  '200':
                    description: The instance.
                    headers: {X-Registry-Index: {$ref: '#/components/headers/RegistryIndex'}}
                    content: {application/json: {schema: {$ref: '#/components/schemas/Instance'}}}
                """
        ) { api, request in await api.show(request.id) },
        Endpoint(
            .patch, "/api/v1/services/{id}", access: .write, body: .json(maximumOctets: 1024 * 1024),
            needsRegistry: true,
            operation: """
                operationId: changeService
                summary: Change an instance; the ttl is not renewed.
                requestBody:
                  required: true
                  content:
                    application/json:
                      schema: {$ref: '#/components/schemas/Change'}
                responses:
                  '200':
                    description: The changed instance.
                    links:
                      get: {$ref: '#/components/links/Get'}
                      heartbeat: {$ref: '#/components/links/Heartbeat'}
                      deregister: {$ref: '#/components/links/Deregister'}
                    content: {application/json: {schema: {$ref: '#/components/schemas/Instance'}}}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.patch(request) },
        Endpoint(
            .delete, "/api/v1/services/{id}", access: .write, needsRegistry: true,
            operation: """
                operationId: deregisterService
                summary: Take an instance out.
                responses:
                  '204': {description: Gone.}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.deregister(request) },
    ]
}
