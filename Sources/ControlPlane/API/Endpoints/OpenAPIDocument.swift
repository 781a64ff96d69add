import Dashboard
import Engine

/// The API's description, `GET /openapi.yaml` (OpenAPI 3.1).
enum OpenAPIDocument {
    /// The document of a server without tokens.
    static let text = document(needsToken: false)

    /// The document of a server with tokens.
    static let textWithTokens = document(needsToken: true)

    private static func document(needsToken: Bool) -> String {
        let schemas = [
            basicSchemas, instanceSchemas, checkSchemas, policySchemas, eventSchemas, insightSchemas, stateSchemas,
            errorSchemas,
        ]
        return introduction + EndpointTable.server.description(needsToken: needsToken) + components
            + "  responses:\n" + ErrorResponse.all.map(\.component).joined()
            + "  schemas:\n" + schemas.joined(separator: "\n") + "\n"
    }

    /// The values of an enumeration, for the list behind `enum`.
    static func names<Value: CaseIterable & RawRepresentable<String>>(_: Value.Type) -> String {
        Value.allCases.map(\.rawValue).joined(separator: ", ")
    }

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
            422 everywhere. A server may add members to what it answers.

            With server.tokens_file a bearer token is needed, whose role is at least x-role of the operation, and which
            may change the service that a change is about, before and after it. A certificate may stand for a token.
            Without tokens Host must be an IP address, localhost, the machine's name or one of server.hosts: else any
            request is answered 421. A change that a browser sends for a page of another origin is answered 403.
          license: {name: Apache-2.0, identifier: Apache-2.0}
        servers:
          - {url: /, description: This server.}
        paths:

        """

    private static let components = """
        components:
          securitySchemes:
            bearer: {type: http, scheme: bearer, description: A token whose SHA-256 is in the tokens file.}
            certificate:
              type: mutualTLS
              description: A client certificate, signed by server.tls.client_ca, whose subject is in the tokens file.
          parameters:
            id:
              name: id
              in: path
              required: true
              description: |
                An instance may have the id "batch", "drain" or "undrain", too: POST to that path is then the batch or
                the draining, all else the instance's.
              schema: {$ref: '#/components/schemas/ID'}
              example: orders-1
            check:
              name: check
              in: path
              required: true
              description: The name of one of the instance's checks.
              schema: {$ref: '#/components/schemas/CheckName'}
              example: deploy
            name:
              name: name
              in: path
              required: true
              description: The name of a service, whether it has instances or not.
              schema: {$ref: '#/components/schemas/ServiceName'}
              example: orders
            file:
              name: file
              in: path
              required: true
              description: One that the page names.
              schema: {type: string, enum: [\(DashboardFile.parts.map(\.name).joined(separator: ", "))]}
              example: main.js
          headers:
            Location:
              description: The path of the instance.
              required: true
              schema: {type: string, format: uri-reference, pattern: '^/api/v1/services/[A-Za-z0-9._-]{1,128}$'}
            Allow:
              description: The methods that the path has.
              required: true
              schema: {type: string}
            Challenge:
              description: What is missing (RFC 6750).
              required: true
              schema: {type: string, pattern: '^Bearer '}
            RetryAfter:
              description: Seconds to wait.
              required: true
              schema: {type: integer, minimum: 1}
            ETag:
              description: Names what is in it.
              required: true
              schema: {type: string, pattern: '^"[0-9a-f]+"$'}
            RegistryIndex:
              description: The answer has every change up to this index, and DNS all that it has.
              required: true
              schema: {$ref: '#/components/schemas/Count'}
          links:
            Get:
              operationId: getService
              parameters: {id: '$response.body#/id'}
              description: Shows it.
            Change:
              operationId: changeService
              parameters: {id: '$response.body#/id'}
              description: Changes it.
            Heartbeat:
              operationId: heartbeat
              parameters: {id: '$response.body#/id'}
              description: Keeps it alive.
            Deregister:
              operationId: deregisterService
              parameters: {id: '$response.body#/id'}
              description: Takes it out.
            GetFirst:
              operationId: getService
              parameters: {id: '$response.body#/results/0/id'}
              description: Shows what the first item was about, if that succeeded; the others likewise.
            HeartbeatFirst:
              operationId: heartbeat
              parameters: {id: '$response.body#/results/0/id'}
              description: Keeps the first item's instance alive, if that succeeded; the others likewise.
            DeregisterFirst:
              operationId: deregisterService
              parameters: {id: '$response.body#/results/0/id'}
              description: Takes the first item's instance out, if that succeeded; the others likewise.
            GetPolicy:
              operationId: getPolicy
              parameters: {name: '$request.path.name'}
              description: Shows it.
            RemovePolicy:
              operationId: removePolicy
              parameters: {name: '$request.path.name'}
              description: Removes it.

        """

    /// What many schemas are made of.
    private static let basicSchemas = """
            Status: {type: string, enum: [\(names(InstanceStatus.self))]}
            CheckStatus: {type: string, enum: [\(names(CheckStatus.self))]}
            Label:
              description: A DNS label (RFC 1123 §2.1), stored in lower case.
              type: string
              minLength: 1
              maxLength: 63
              pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$'
            ServiceName:
              description: A DNS label, stored in lower case; not "addr" or "ns", which have another meaning in DNS.
              type: string
              minLength: 1
              maxLength: 63
              pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$'
              not: {pattern: '^([Aa][Dd][Dd][Rr]|[Nn][Ss])$'}
              examples: [orders]
            ID:
              description: Not "." or "..".
              type: string
              minLength: 1
              maxLength: 128
              pattern: '^[A-Za-z0-9._-]{1,128}$'
              not: {enum: ['.', '..']}
              examples: [orders-1]
            Address:
              type: string
              maxLength: 45
              anyOf: [{format: ipv4}, {format: ipv6}]
              examples: [10.0.0.1, '2001:db8::1']
            Port: {type: integer, minimum: 1, maximum: 65535}
            Number: {type: integer, minimum: 0, maximum: 65535}
            Count: {type: integer, minimum: 0, maximum: 18446744073709551615}
            Time: {type: string, format: date-time, examples: ['2026-11-26T21:36:36.528Z']}
            Verdict: {type: string, enum: [pass, warn, fail]}
        """
}
