import Engine

extension OpenAPIDocument {
    /// Services, their policies, and what keeps them from being wrongly empty.
    static let policySchemas = """
            Name:
              description: A service and the number of its instances by status.
              type: object
              required: [name, passing, warning, critical, draining]
              properties:
                name: {type: string}
                passing: {$ref: '#/components/schemas/Count'}
                warning: {$ref: '#/components/schemas/Count'}
                critical: {$ref: '#/components/schemas/Count'}
                draining: {$ref: '#/components/schemas/Count'}
              examples:
                - {name: orders, passing: 3, warning: 0, critical: 1, draining: 0}
            Policy:
              description: |
                What holds for a service in place of the server's settings. What is missing, or null, is as they say.
              type: object
              additionalProperties: false
              properties:
                strategy: {type: [string, 'null'], enum: [\(names(RotationStrategyName.self)), null]}
                on_empty: {type: [string, 'null'], enum: [\(names(ServicePolicy.EmptyAnswer.self)), null]}
                empty_grace: \(DurationPattern.schema(.zero...(.seconds(3600)), "SERVFAIL first, for so long:"))
                priorities: {type: [string, 'null'], enum: [\(names(ServicePolicy.Priorities.self)), null]}
                protect_threshold:
                  description: The share of healthy instances below which critical ones are answered too.
                  type: [number, 'null']
                  minimum: 0
                  maximum: 1
                dns_ttl: \(DurationPattern.schema(
                    .seconds(1)...(.seconds(86_400)), wholeSeconds: true,
                    "The TTL of instances that were registered without one:"))
                max_weight:
                  description: Registrations and changes with a higher weight are refused. Set by admins.
                  anyOf: [{$ref: '#/components/schemas/Number'}, {type: 'null'}]
                min_priority:
                  description: Registrations and changes with a lower priority are refused. Set by admins.
                  anyOf: [{$ref: '#/components/schemas/Number'}, {type: 'null'}]
              examples:
                - {strategy: weighted, on_empty: servfail, empty_grace: 10s}
            Brake:
              description: What keeps a service from being wrongly empty at present.
              type: object
              required: [kind, name, since, until, reason]
              properties:
                kind: {type: string, enum: [\(names(BrakeInForce.Kind.self))]}
                name: {type: string, description: The service.}
                since: {$ref: '#/components/schemas/Time'}
                until: {type: [string, 'null'], format: date-time, description: null - while there is a reason.}
                reason: {type: string}
        """
}
