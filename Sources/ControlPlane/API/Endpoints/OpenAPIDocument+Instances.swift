extension OpenAPIDocument {
    /// Instances as they are sent, changed and shown, one by one or many at once.
    static let instanceSchemas = """
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
              examples:
                - {name: orders, ip: 10.0.0.1, port: 8080}
                - {id: orders-1, name: orders, ip: '2001:db8::1', port: 8080, tags: [v1], ttl: 30,
                   checks: [{name: alive, type: http, path: /healthz, interval: 10s}]}
            Instance:
              type: object
              required: [id, name, ip, port, protocol, tags, metadata, weight, priority, ttl, dns_ttl, checks, status,
                registered_at, last_heartbeat, expires_at]
              properties:
        \(fields(isNullable: false))
                status:
                  description: The worst of its checks; draining before all.
                  $ref: '#/components/schemas/Status'
                registered_at: {$ref: '#/components/schemas/Time'}
                last_heartbeat: {$ref: '#/components/schemas/Time'}
                expires_at: {type: [string, 'null'], format: date-time, description: 'null: never.'}
              examples:
        \(instanceExample(indentation: 8))
            Change:
              description: What is given is replaced, the rest stays, and so does what is null.
              type: object
              additionalProperties: false
              properties:
        \(changeableFields(isNullable: true, hasDefaults: false))
                draining: {type: [boolean, 'null'], description: 'true: out of DNS, but still registered.'}
              examples:
                - {weight: 50}
                - {draining: true}
            Batch:
              description: |
                At most \(BatchRequest.maximumItems) items in all. An item that is anything else has a result of its
                own, 422.
              type: object
              additionalProperties: false
              properties:
                register:
                  type: [array, 'null']
                  maxItems: \(BatchRequest.maximumItems)
                  items: {anyOf: [{$ref: '#/components/schemas/Registration'}, {}]}
                deregister:
                  type: [array, 'null']
                  maxItems: \(BatchRequest.maximumItems)
                  items: {anyOf: [{$ref: '#/components/schemas/ID'}, {}]}
              examples:
                - register: [{id: orders-2, name: orders, ip: 10.0.0.2, port: 8080}]
                  deregister: [orders-3]
            BatchResult:
              type: object
              required: [status]
              properties:
                status: {type: integer, enum: [200, 201, 204, 403, 404, 422]}
                id: {type: string, description: 'With a status below 300, and with 404.'}
                errors: {$ref: '#/components/schemas/FieldErrors', description: With 403 and 422.}
            DrainSelection:
              description: All instances of a host, or of a service, or those of a service that have a tag.
              oneOf:
                - type: object
                  required: [ip]
                  additionalProperties: false
                  properties:
                    ip: {$ref: '#/components/schemas/Address'}
                    name: {type: 'null'}
                    tag: {type: 'null'}
                - type: object
                  required: [name]
                  additionalProperties: false
                  properties:
                    ip: {type: 'null'}
                    name: {$ref: '#/components/schemas/Label'}
                    tag: {anyOf: [{$ref: '#/components/schemas/Label'}, {type: 'null'}]}
              examples:
                - {ip: 10.0.0.1}
                - {name: orders, tag: v1}
            TargetGroup:
              description: An instance as Prometheus scrapes it.
              type: object
              required: [targets, labels]
              properties:
                targets:
                  description: The instance's address and port.
                  type: array
                  minItems: 1
                  maxItems: 1
                  items: {type: string, examples: ['10.0.0.1:9100', '[2001:db8::1]:9100']}
                labels:
                  description: |
                    service, id, address, port, protocol, tags (with a comma at both ends), status, weight, priority,
                    and metadata_<key>, in which each character but A-Z, a-z, 0-9 and _ is _. If several keys become the
                    same, the one that needed no change counts, else the first by its octets.
                  type: object
                  propertyNames: {pattern: '^__meta_kong_discovery_[A-Za-z0-9_]*$'}
                  additionalProperties: {type: string}
              examples:
                - targets: ['10.0.0.1:8080']
                  labels:
                    __meta_kong_discovery_service: orders
                    __meta_kong_discovery_id: orders-1
                    __meta_kong_discovery_tags: ',v1,'
                    __meta_kong_discovery_status: passing
                    __meta_kong_discovery_metadata_team: core
        """

    /// An instance as it is shown, as a list's only element.
    static func instanceExample(indentation: Int) -> String {
        let lines = [
            "- id: orders-1", "  name: orders", "  ip: 10.0.0.1", "  port: 8080", "  protocol: tcp", "  tags: [v1]",
            "  metadata: {team: core}", "  weight: 100", "  priority: 0", "  ttl: 30", "  dns_ttl: 5", "  checks: []",
            "  status: passing", "  registered_at: '2026-11-26T21:36:06.528Z'",
            "  last_heartbeat: '2026-11-26T21:36:06.528Z'", "  expires_at: '2026-11-26T21:36:36.528Z'",
        ]
        let blank = String(repeating: " ", count: indentation)
        return lines.map { blank + $0 }.joined(separator: "\n")
    }

    /// The fields of an instance that a client sets, as they are sent or as they are shown.
    private static func fields(isNullable: Bool) -> String {
        let type = isNullable ? "[array, 'null']" : "array"
        let protocols = OpenAPIDocument.names(TransportProtocol.self)
        return """
                    id: {\(schema("$ref: '#/components/schemas/ID'", isNullable)), description: Default - a UUID that
                      follows from name and ip and port and protocol.}
                    name: {$ref: '#/components/schemas/ServiceName', description: The service.}
                    ip:
                      description: |
                        Within registry.networks; not unspecified, multicast, link-local, in 0.0.0.0/8 or 240.0.0.0/4,
                        IPv4-mapped or -compatible, 6to4 or NAT64 of these, or with a zone id. A loopback address only
                        from a client on loopback.
                      $ref: '#/components/schemas/Address'
                    port: {$ref: '#/components/schemas/Port'}
                    protocol: {\(schema("type: string, enum: [\(protocols)]", isNullable)), description: Default - tcp.}
            \(changeableFields(isNullable: isNullable, hasDefaults: isNullable))
                    ttl: {\(schema("type: integer, minimum: 0, maximum: 2147483647", isNullable)),
                      description: Seconds it lives without a heartbeat. 0 - never; default - heartbeat.timeout.}
                    dns_ttl: {\(schema("type: integer, minimum: 1, maximum: 86400", isNullable)),
                      description: The TTL of its records in seconds. Default - dns.ttl.}
                    checks:
                      description: At most 16 KiB as JSON; each with a name of its own.
                      type: \(type)
                      maxItems: \(Check.maximumCount)
                      items: {$ref: '#/components/schemas/\(isNullable ? "Check" : "CheckState")'}
            """
    }

    /// Those fields that can be changed.
    ///
    /// - Parameter hasDefaults: whether one that is missing has a default; in a change it stays as it is.
    private static func changeableFields(isNullable: Bool, hasDefaults: Bool) -> String {
        func standard(_ value: String) -> String { hasDefaults ? ", default: \(value)" : "" }
        let unique = isNullable ? "" : "uniqueItems: true, "
        let tags = "type: array, maxItems: 64, \(unique)items: {$ref: '#/components/schemas/Label'}"
        let metadata = "type: object, maxProperties: 64, additionalProperties: {type: string}"
        let number = schema("$ref: '#/components/schemas/Number'", isNullable)
        return """
                    tags: {\(schema(tags, isNullable)), description: One given twice counts once.}
                    metadata: {\(schema(metadata, isNullable)),
                      description: At most 16 KiB of names and values.}
                    weight: {\(number)\(standard("100"))}
                    priority: {\(number)\(standard("0")), description: The lowest is the best.}
            """
    }

    /// What a schema consists of, as it is or with `null` besides.
    private static func schema(_ text: String, _ isNullable: Bool) -> String {
        isNullable ? "anyOf: [{\(text)}, {type: 'null'}]" : text
    }
}
