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
                    schema: {type: integer, minimum: 0}
                  - name: wait
                    in: query
                    description: How long to wait at most, up to 10m; then the same list is answered.
                    schema: {type: string, pattern: '^[0-9]+(ms|s|m)$', default: 5m}
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
                            services: {type: array, items: {$ref: '#/components/schemas/Instance'}}
                            next_cursor: {type: [string, 'null'], description: null on the last page.}
                  '422': {$ref: '#/components/responses/Invalid'}
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
                  '400': {$ref: '#/components/responses/Malformed'}
                  '413': {$ref: '#/components/responses/TooLarge'}
                  '415': {$ref: '#/components/responses/UnsupportedType'}
                  '422': {$ref: '#/components/responses/Invalid'}
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
                    content:
                      application/json:
                        schema:
                          type: object
                          required: [results]
                          properties:
                            results: {type: array, items: {$ref: '#/components/schemas/BatchResult'}}
                  '400': {$ref: '#/components/responses/Malformed'}
                  '413': {$ref: '#/components/responses/TooLarge'}
                  '415': {$ref: '#/components/responses/UnsupportedType'}
                  '422': {$ref: '#/components/responses/Invalid'}
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
                  '404': {$ref: '#/components/responses/Unknown'}
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
                    content: {application/json: {schema: {$ref: '#/components/schemas/Instance'}}}
                  '400': {$ref: '#/components/responses/Malformed'}
                  '404': {$ref: '#/components/responses/Unknown'}
                  '413': {$ref: '#/components/responses/TooLarge'}
                  '415': {$ref: '#/components/responses/UnsupportedType'}
                  '422': {$ref: '#/components/responses/Invalid'}
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
                  '404': {$ref: '#/components/responses/Unknown'}
                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in await api.deregister(request) },
    ]
}
