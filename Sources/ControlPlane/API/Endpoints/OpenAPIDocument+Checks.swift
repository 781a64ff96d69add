extension OpenAPIDocument {
    /// Checks as they are sent, by their types, and as they are shown.
    static let checkSchemas = """
            CheckName:
              description: Not "." or "..".
              type: string
              minLength: 1
              maxLength: 64
              pattern: '^[A-Za-z0-9._-]{1,64}$'
              not: {enum: ['.', '..']}
            CheckHost:
              description: A host name or an address.
              type: string
              minLength: 1
              maxLength: 253
              anyOf: [{pattern: '^[A-Za-z0-9._-]*[A-Za-z0-9_-][.]?$'}, {format: ipv4}, {format: ipv6}]
            Check:
              description: How an instance is checked. An optional field that is null is as if it were not there.
              oneOf:
        \(Self.checkTypes.map { "        - {$ref: '#/components/schemas/\($0.name)'}" }.joined(separator: "\n"))
        \(Self.checkTypes.map(Self.schema).joined(separator: "\n"))
            CheckState:
              description: A check with its defaults filled in, and what it found last.
              type: object
              required: [name, type, interval, timeout, rise, fall, initial, status, since, output, duration_ms,
                checked_at]
              properties:
                name: {$ref: '#/components/schemas/CheckName'}
                type: {type: string, enum: [http, https, tcp, tls, grpc, ttl]}
                interval: {$ref: '#/components/schemas/ShownDuration'}
                timeout: {$ref: '#/components/schemas/ShownDuration'}
                rise: {type: integer, minimum: 1, maximum: 100}
                fall: {type: integer, minimum: 1, maximum: 100}
                initial: {type: string, enum: [passing, critical]}
                deregister_after: {$ref: '#/components/schemas/ShownDuration'}
                path: {type: string}
                method: {type: string, enum: [GET, HEAD]}
                host: {type: string}
                headers: {type: object, additionalProperties: {type: string}}
                expect: {type: string}
                body: {type: string}
                verify: {type: boolean}
                port: {$ref: '#/components/schemas/Port'}
                server_name: {type: string}
                service: {type: string}
                tls: {type: boolean}
                ttl: {$ref: '#/components/schemas/ShownDuration'}
                status: {$ref: '#/components/schemas/CheckStatus'}
                since: {$ref: '#/components/schemas/Time'}
                output: {type: string, description: At most 512 octets.}
                duration_ms: {type: [integer, 'null'], minimum: 0, description: 'null: it has not run yet.'}
                checked_at: {type: [string, 'null'], format: date-time, description: 'null: it has not run yet.'}
            ShownDuration: {type: string, pattern: '^[0-9]+(ms|s|m|h)$', examples: [10s]}
            CheckReport:
              type: object
              required: [status]
              additionalProperties: false
              properties:
                status: {$ref: '#/components/schemas/CheckStatus'}
                output: {type: [string, 'null'], description: For people; 512 octets of it are kept.}
              examples:
                - {status: critical, output: the disk is full}
        """

    /// A kind of check, with the fields that it has besides those of all.
    private struct CheckType: Sendable {
        var name: String
        var types: String
        var required = "name, type"
        var fields: [String]
        /// Further lines of its schema.
        var rules = ""
    }

    private static func nullable(_ type: String) -> String { "anyOf: [{\(type)}, {type: 'null'}]" }

    private static let port =
        "port: {\(nullable("$ref: '#/components/schemas/Port'")), description: Default - its own.}"
    private static let host = "$ref: '#/components/schemas/CheckHost'"

    private static let statuses = " *[1-5][0-9]{2}(- *[1-5][0-9]{2})?"

    private static let http = [
        "path: {type: [string, 'null'], pattern: '^/[!-\"$-~]{0,2047}$', default: /}",
        "method: {type: [string, 'null'], enum: [GET, HEAD, null], default: GET}",
        "host: {type: [string, 'null'], maxLength: 260, description: 'The Host sent, and the name verified.',"
            + " pattern: '^([A-Za-z0-9._-]{0,252}[A-Za-z0-9_-]|\\[[0-9A-Fa-f:.]{2,45}\\])(:[0-9]{0,4})?$'}",
        "headers: {type: [object, 'null'], maxProperties: 16,"
            + " description: 'At most 4 KiB; none that frames a message.',"
            + " propertyNames: {pattern: '^[A-Za-z0-9!#$%&''*+.^_`|~-]{1,64}$'},"
            + " additionalProperties: {type: string, pattern: '^([!-~]([ -~]*[!-~])?)?$'}}",
        "expect: {description: 'Statuses, such as 200-299 or 200,204.', default: 200-299, anyOf: ["
            + "{type: string, pattern: '^\(statuses)(,\(statuses)){0,15}$'},"
            + " {type: integer, minimum: 100, maximum: 599}, {type: 'null'}]}",
        "body: {type: [string, 'null'], minLength: 1, maxLength: 4096,"
            + " description: 'Text that it must contain; not with HEAD.'}",
        port,
    ]
    private static let noBodyOfHead = """
              not: {required: [method, body], properties: {method: {const: HEAD}, body: {type: string}}}

        """
    private static let verify = "verify: {type: [boolean, 'null'], default: true, description: The certificate.}"
    private static let serverName = "server_name: {\(nullable(host)), description: The name verified.}"
    private static let grpcService =
        "service: {type: [string, 'null'], maxLength: 255, pattern: '^[!-~]*$', description: What is asked for.}"

    private static let reportInterval = DurationPattern.schema(
        .seconds(1)...(.seconds(7 * 86_400)), isNullable: false, "The longest time between reports:")

    private static let checkTypes = [
        CheckType(name: "HTTPCheck", types: "[http]", fields: http, rules: noBodyOfHead),
        CheckType(name: "HTTPSCheck", types: "[https]", fields: http + [verify], rules: noBodyOfHead),
        CheckType(name: "TCPCheck", types: "[tcp]", fields: [port]),
        CheckType(name: "TLSCheck", types: "[tls]", fields: [serverName, verify, port]),
        CheckType(
            name: "GRPCCheck", types: "[grpc]",
            fields: [grpcService, "tls: {anyOf: [{type: boolean, const: false}, {type: 'null'}]}", port]),
        CheckType(
            name: "SecureGRPCCheck", types: "[grpc]", required: "name, type, tls",
            fields: [grpcService, "tls: {type: boolean, const: true}", serverName, verify, port]),
        CheckType(
            name: "TTLCheck", types: "[ttl]", required: "name, type, ttl",
            fields: ["ttl: \(reportInterval)"]),
    ]

    private static func schema(_ type: CheckType) -> String {
        let hours = Duration.seconds(3600)
        let interval = DurationPattern.schema(.seconds(1)...hours, default: "10s", "Time between two runs:")
        let timeout = DurationPattern.schema(
            .milliseconds(1)...hours, "Not longer than the interval, which it is at most by default, else 2s:")
        let deregisterAfter = DurationPattern.schema(
            .seconds(1)...(.seconds(30 * 86_400)), "Critical for so long, the instance goes; not below the interval:")
        let common = [
            "name: {$ref: '#/components/schemas/CheckName'}", "type: {type: string, enum: \(type.types)}",
            "interval: \(interval)", "timeout: \(timeout)",
            "rise: {type: [integer, 'null'], minimum: 1, maximum: 100, default: 2, description: Successes in a row.}",
            "fall: {type: [integer, 'null'], minimum: 1, maximum: 100, default: 3, description: Failures in a row.}",
            "initial: {type: [string, 'null'], enum: [passing, critical, null], default: passing}",
            "deregister_after: \(deregisterAfter)",
        ]
        let shown = ["status", "since", "output", "duration_ms", "checked_at"].map { "\($0): {description: Ignored.}" }
        return """
                \(type.name):
                  type: object
                  required: [\(type.required)]
                  additionalProperties: false
            \(type.rules)      properties:

            """ + (common + type.fields + shown).map { "        " + $0 }.joined(separator: "\n")
    }
}
