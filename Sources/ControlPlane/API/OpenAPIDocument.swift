import Engine

/// The API's description, `GET /openapi.yaml` (OpenAPI 3.1).
enum OpenAPIDocument {
    /// The document of a server without tokens.
    static let text = introduction + EndpointTable.description(needsToken: false) + components

    /// The document of a server with tokens.
    static let textWithTokens = introduction + EndpointTable.description(needsToken: true) + components

    private static let introduction = """
        openapi: 3.1.0
        info:
          title: kong-discovery
          version: \(Version.current)
          summary: Register over REST, resolve over DNS.
          description: |
            A 200, 201 or 204 to a change is sent when the change is stored and every DNS worker answers with it.
            Errors are problem documents (RFC 9457). HEAD is answered wherever GET is. Names and tags compare without
            regard to case and are stored in lower case. A query parameter that is unknown, empty or given twice is a
            422 everywhere.

            With server.tokens_file a bearer token is needed, whose role is at least x-role of the operation, and which
            may change the service that a change is about, before and after it. A certificate may stand for a token.
            Without tokens Host must be an IP address, localhost, the machine's name or one of server.hosts: else any
            request is answered 421. A change that a browser sends for a page of another origin is answered 403. A
            request that is not HTTP/1.1 is answered 400, one whose target or fields are too long 431.
        servers:
          - {url: /, description: This server.}
        paths:

        """

    /// The schemas of the counters, each group an object.
    private static var counters: String {
        Counter.Group.allCases.map { group in
            let properties = Counter.allCases.map(\.description).filter { $0.group == group }.map {
                "            \($0.name): {type: integer, description: \"\($0.help)\"}"
            }
            return (["        \(group.rawValue):", "          type: object", "          properties:"] + properties)
                .joined(separator: "\n")
        }.joined(separator: "\n")
    }

    /// The fields of an instance that a client sets, as they are sent or as they are shown.
    private static func fields(isNullable: Bool) -> String {
        func type(_ name: String) -> String { isNullable ? "[\(name), 'null']" : name }
        return """
                    id:
                      description: Not "." or "..". Without it a UUID that follows from name, ip, port and protocol.
                      type: \(type("string"))
                      pattern: '^[A-Za-z0-9._-]{1,128}$'
                    name: {$ref: '#/components/schemas/Label', description: The service; not "addr" or "ns".}
                    ip:
                      description: |
                        Within registry.networks; not unspecified, multicast, link-local, in 0.0.0.0/8 or 240.0.0.0/4,
                        IPv4-mapped or -compatible, 6to4 or NAT64 of these, or with a zone id. A loopback address only
                        from a client on loopback.
                      type: string
                      anyOf: [{format: ipv4}, {format: ipv6}]
                    port: {type: integer, minimum: 1, maximum: 65535}
                    protocol: {type: \(type("string")), enum: [tcp, udp\(isNullable ? ", null" : "")], default: tcp}
            \(changeableFields(isNullable: isNullable))
                    ttl:
                      description: |
                        Seconds without a heartbeat until it expires; 0 - never. Default - heartbeat.timeout.
                      type: \(type("integer"))
                      minimum: 0
                      maximum: 2147483647
                    dns_ttl:
                      description: The TTL of its records in seconds. Default - dns.ttl.
                      type: \(type("integer"))
                      minimum: 1
                      maximum: 86400
                    checks:
                      type: \(type("array"))
                      maxItems: \(Check.maximumCount)
                      items: {$ref: '#/components/schemas/\(isNullable ? "Check" : "CheckState")'}
                      default: []
            """
    }

    /// Those fields that can be changed.
    private static func changeableFields(isNullable: Bool) -> String {
        func schema(_ name: String) -> String {
            let reference = "$ref: '#/components/schemas/\(name)'"
            return isNullable ? "anyOf: [{\(reference)}, {type: 'null'}]" : reference
        }
        return """
                    tags: {\(schema("Tags")), default: []}
                    metadata: {\(schema("Metadata")), default: {}}
                    weight: {\(schema("Number")), default: 100}
                    priority: {\(schema("Number")), default: 0, description: The lowest is the best.}
            """
    }

    /// A check as it is sent, and as it is shown.
    private static var checkSchemas: String {
        let fields = """
                    name: {type: string, pattern: '^[A-Za-z0-9._-]{1,64}$'}
                    type: {type: string, enum: [http, https, tcp, tls, grpc, ttl]}
                    interval: {$ref: '#/components/schemas/Duration', default: 10s, description: 1s to 1h.}
                    timeout: {$ref: '#/components/schemas/Duration', default: 2s}
                    rise: {type: integer, minimum: 1, default: 2, description: Successes in a row.}
                    fall: {type: integer, minimum: 1, default: 3, description: Failures in a row.}
                    initial: {type: string, enum: [passing, critical], default: passing}
                    deregister_after: {$ref: '#/components/schemas/Duration', description: Of critical status.}
                    path: {type: string, default: /, description: 'http, https.'}
                    method: {type: string, enum: [GET, HEAD], default: GET, description: 'http, https.'}
                    host: {type: string, description: 'http, https: the Host sent, and the name verified.'}
                    headers: {type: object, additionalProperties: {type: string}, description: 'http, https.'}
                    expect: {type: string, default: 200-299, description: 'http, https: statuses.'}
                    body: {type: string, description: 'http, https: text that the body must contain.'}
                    verify: {type: boolean, default: true, description: 'https, tls, grpc: the certificate.'}
                    port: {type: integer, minimum: 1, maximum: 65535, description: Default - the instance's.}
                    server_name: {type: string, description: 'tls: the name verified.'}
                    service: {type: string, description: 'grpc: the service asked for.'}
                    tls: {type: boolean, default: false, description: 'grpc.'}
                    ttl: {$ref: '#/components/schemas/Duration', description: 'ttl: time between reports.'}
            """
        return """
                Duration:
                  description: '"500ms", "10s", "2m" or "1h", or whole seconds.'
                  anyOf: [{type: string, pattern: '^[0-9]+(ms|s|m|h)$'}, {type: integer, minimum: 0}]
                Check:
                  description: How an instance is checked; the fields after deregister_after belong to some types.
                  type: object
                  required: [name, type]
                  properties:
            \(fields)
                CheckState:
                  type: object
                  required: [name, type, status, since, output, duration_ms, checked_at]
                  properties:
            \(fields)
                    status: {$ref: '#/components/schemas/CheckStatus', readOnly: true}
                    since: {type: string, format: date-time, readOnly: true}
                    output: {type: string, readOnly: true}
                    duration_ms: {type: [integer, 'null'], readOnly: true}
                    checked_at: {type: [string, 'null'], format: date-time, readOnly: true}
            """
    }

    private static let components = """
        components:
          securitySchemes:
            bearer: {type: http, scheme: bearer, description: A token whose SHA-256 is in the tokens file.}
          parameters:
            id:
              name: id
              in: path
              required: true
              description: |
                An instance may have the id "batch", too: POST to that path is then the batch, all else the instance's.
              schema: {type: string, pattern: '^[A-Za-z0-9._-]{1,128}$'}
            check:
              name: check
              in: path
              required: true
              description: The name of one of the instance's checks.
              schema: {type: string, pattern: '^[A-Za-z0-9._-]{1,64}$'}
            name:
              name: name
              in: path
              required: true
              description: The name of a service, whether it has instances or not.
              schema: {$ref: '#/components/schemas/Label'}
          headers:
            Location: {description: The path of the instance., schema: {type: string}}
            Challenge: {description: What is missing (RFC 6750)., schema: {type: string}}
            RetryAfter: {description: Seconds to wait., schema: {type: integer}}
            RegistryIndex:
              description: The answer has every change up to this index, and DNS all that it has.
              schema: {type: integer}
          links:
            Get: {operationId: getService, parameters: {id: '$response.body#/id'}}
            Change: {operationId: changeService, parameters: {id: '$response.body#/id'}}
            Heartbeat: {operationId: heartbeat, parameters: {id: '$response.body#/id'}}
            Deregister: {operationId: deregisterService, parameters: {id: '$response.body#/id'}}
          responses:
            Malformed:
              description: The body is not JSON, and the detail says where; or Authorization can't be read.
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
            Unauthorized:
              description: There is no token, or it is unknown.
              headers: {WWW-Authenticate: {$ref: '#/components/headers/Challenge'}}
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
            Forbidden:
              description: The token has not the role, or may not change the service; the detail says what is missing.
              headers: {WWW-Authenticate: {$ref: '#/components/headers/Challenge'}}
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
            Unknown:
              description: There is no such instance, or policy.
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
            TooLarge:
              description: The body has more than 1 MiB, or a batch more than 16 MiB.
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
            UnsupportedType:
              description: The Content-Type is not application/json, or there is a Content-Encoding.
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
            Invalid:
              description: Fields or parameters break a rule; every one is named.
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
            Unavailable:
              description: Not now; try again.
              headers: {Retry-After: {$ref: '#/components/headers/RetryAfter'}}
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
          schemas:
            Status: {type: string, enum: [passing, warning, critical, draining]}
            CheckStatus: {type: string, enum: [passing, warning, critical]}
            Label: {type: string, pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$'}
            Number: {type: integer, minimum: 0, maximum: 65535}
            Tags: {type: array, maxItems: 64, items: {$ref: '#/components/schemas/Label'}}
            Metadata:
              description: At most 16 KiB of names and values.
              type: object
              maxProperties: 64
              additionalProperties: {type: string}
            Registration:
              description: |
                An optional field that is null is as if it were not there. What a GET shows beyond these fields is
                ignored; any other field is an error.
              type: object
              required: [name, ip, port]
              additionalProperties: false
              properties:
        \(fields(isNullable: true))
                status: {description: Ignored.}
                registered_at: {description: Ignored.}
                last_heartbeat: {description: Ignored.}
                expires_at: {description: Ignored.}
            Instance:
              type: object
              required: [id, name, ip, port, protocol, tags, metadata, weight, priority, ttl, dns_ttl, checks, status,
                registered_at, last_heartbeat, expires_at]
              properties:
        \(fields(isNullable: false))
                status: {$ref: '#/components/schemas/Status', readOnly: true}
                registered_at: {type: string, format: date-time, readOnly: true}
                last_heartbeat: {type: string, format: date-time, readOnly: true}
                expires_at: {type: [string, 'null'], format: date-time, readOnly: true}
        \(checkSchemas)
            Change:
              description: What is given is replaced, the rest stays, and so does what is null.
              type: object
              additionalProperties: false
              properties:
        \(changeableFields(isNullable: true))
                draining: {type: [boolean, 'null'], description: Out of DNS, but still registered.}
            Batch:
              description: |
                At most \(BatchRequest.maximumItems) items in all. An item that is anything else has a result of its
                own, 422.
              type: object
              additionalProperties: false
              properties:
                register:
                  type: [array, 'null']
                  items: {anyOf: [{$ref: '#/components/schemas/Registration'}, {}]}
                deregister: {type: [array, 'null'], items: {anyOf: [{type: string}, {}]}}
            BatchResult:
              type: object
              required: [status]
              properties:
                status: {type: integer, enum: [200, 201, 204, 403, 404, 422]}
                id: {type: string}
                errors: {type: array, maxItems: 20, items: {$ref: '#/components/schemas/FieldError'}}
            FieldError:
              type: object
              required: [field, message]
              properties:
                field: {type: string, examples: ['port', 'tags[2]', 'metadata.owner']}
                message: {type: string}
            Problem:
              type: object
              required: [type, title, status, detail]
              properties:
                type: {type: string, format: uri-reference}
                title: {type: string}
                status: {type: integer}
                detail: {type: string}
                errors: {type: array, items: {$ref: '#/components/schemas/FieldError'}}
            Name:
              type: object
              required: [name, passing, warning, critical, draining]
              properties:
                name: {type: string}
                passing: {type: integer}
                warning: {type: integer}
                critical: {type: integer}
                draining: {type: integer}
            Policy:
              description: |
                What holds for a service in place of the server's settings. What is missing, or null, is as they say.
              type: object
              additionalProperties: false
              properties:
                strategy: {type: [string, 'null'], enum: [round_robin, random, weighted, null]}
                on_empty: {type: [string, 'null'], enum: [nxdomain, nodata, servfail, last_known, null]}
                empty_grace:
                  description: '0s to 1h: "500ms", "10s", "2m" or "1h", or whole seconds.'
                  anyOf: [{type: string, pattern: '^[0-9]+(ms|s|m|h)$'}, {type: integer, minimum: 0}, {type: 'null'}]
                priorities: {type: [string, 'null'], enum: [lowest, all, null]}
                protect_threshold: {type: [number, 'null'], minimum: 0, maximum: 1}
                dns_ttl:
                  description: Seconds, 1 to 86400; for instances that were registered without one.
                  anyOf: [{type: integer, minimum: 1, maximum: 86400}, {type: string}, {type: 'null'}]
                max_weight:
                  description: Registrations and changes with a higher weight are refused. Set by admins.
                  anyOf: [{$ref: '#/components/schemas/Number'}, {type: 'null'}]
                min_priority:
                  description: Registrations and changes with a lower priority are refused. Set by admins.
                  anyOf: [{$ref: '#/components/schemas/Number'}, {type: 'null'}]
            Brake:
              type: object
              required: [kind, name, since, until, reason]
              properties:
                kind: {type: string, enum: [mass_expiry, protect_threshold]}
                name: {type: string, description: The service.}
                since: {type: string, format: date-time}
                until: {type: [string, 'null'], format: date-time, description: null - while there is a reason.}
                reason: {type: string}
        \(insightSchemas)
            Alive: {type: object, required: [status], properties: {status: {type: string, enum: [alive]}}}
            Ready:
              type: object
              required: [status, storage]
              properties:
                status: {type: string, enum: [ready]}
                storage:
                  type: object
                  required: [health, lag_seconds]
                  properties:
                    health: {type: string, enum: [pass, fail]}
                    lag_seconds: {type: number, description: how old what is known may be; 0 below a second}
            Part:
              type: object
              required: [status, message]
              properties:
                status: {type: string, enum: [pass, warn, fail]}
                message: {type: string, description: 'why, in one sentence'}
            Health:
              type: object
              required: [status, checks]
              properties:
                status: {type: string, enum: [pass, warn, fail]}
                checks:
                  description: 'dns, storage, upstreams, checker, queue; certificate - with TLS.'
                  type: object
                  additionalProperties: {$ref: '#/components/schemas/Part'}
            ServerStatus:
              type: object
              properties:
                version: {type: string}
                uptime_seconds: {type: integer}
                ready: {type: boolean}
                health: {$ref: '#/components/schemas/Health'}
                certificate:
                  description: What new connections are shown; null without TLS.
                  type: [object, 'null']
                  properties:
                    health: {type: string, enum: [pass, warn, fail], description: 'warn: it ends within 14 days'}
                    subject: {type: string, description: RFC 4514}
                    not_before: {type: string, format: date-time}
                    not_after: {type: string, format: date-time}
                    days_left: {type: integer, description: 'whole days; below 0: it has ended'}
                storage:
                  type: object
                  properties:
                    type: {type: string}
                    health: {type: string, enum: [pass, fail]}
                    lag_seconds: {type: number, description: how old what is known may be; 0 below a second}
                    problem: {type: string, description: why no changes are kept now; missing when they are}
                    endpoint: {type: string, description: 'etcd: the member that is asked first'}
                    revision: {type: integer, description: 'etcd: up to where everything was seen'}
                    malformed_values: {type: integer, description: 'etcd: keys whose values are no instances'}
                    waiting_heartbeats: {type: integer, description: 'etcd: leases to be renewed'}
                    unconfirmed_instances: {type: integer, description: 'etcd: instances whose leases have ended'}
                    node: {type: string, description: 'etcd: what other nodes know this process by'}
                    nodes: {type: integer, description: 'etcd: nodes that share the checks, this one included'}
                checks:
                  type: object
                  properties:
                    instances: {type: integer, description: instances that have checks}
                    instances_here: {type: integer, description: those that this node checks}
                    nodes: {type: integer, description: nodes that share the work}
                    checks: {type: integer, description: checks that this node does}
                    running: {type: integer, description: runs under way}
                    succeeded: {type: integer, description: runs since the start}
                    failed: {type: integer, description: runs since the start}
                    cut_off: {type: boolean, description: most fail at once - statuses stay as they are}
                instances:
                  type: object
                  additionalProperties: {type: integer}
                services: {type: integer}
                zone:
                  type: object
                  properties:
                    generation: {type: integer}
                access:
                  description: Who may use the API, and how often requests were refused.
                  type: object
                  properties:
                    tokens_required: {type: boolean}
                    tokens: {type: integer}
                    unauthorized: {type: integer, description: requests without a valid token (401)}
                    forbidden: {type: integer, description: 'requests, and items, that are not allowed (403)'}
                    malformed: {type: integer, description: requests with a token that can't be read (400)}
                brakes:
                  description: What keeps services from being wrongly empty at present.
                  type: object
                  properties:
                    count: {type: integer}
                    oldest:
                      type: array
                      maxItems: \(BrakesInForce.maximumListed)
                      items: {$ref: '#/components/schemas/Brake'}
                last_known_names:
                  description: Names without a healthy instance that answer the instances that they had last.
                  type: integer
        \(counters)
                upstreams:
                  type: array
                  items:
                    type: object
                    properties:
                      address: {type: string}
                      health: {type: string, enum: [pass, fail]}
                      round_trip_seconds: {type: [number, 'null']}
                      queries: {type: integer}
                      answers: {type: integer}
                      timeouts: {type: integer}
                      errors: {type: integer}
                      guesses: {type: integer, description: times that somebody was found guessing at answers}
                      leads_back: {type: boolean, description: to this server - it is not asked while it does}

        """
}
