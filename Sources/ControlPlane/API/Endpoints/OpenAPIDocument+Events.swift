extension OpenAPIDocument {
    /// What the events have as their data.
    static let eventSchemas = """
            InstanceEvent:
              description: |
                The data of registered, updated, status, deregistered and expired; and of instance, without a reason.
              type: object
              required: [sequence, id_origin, instance]
              properties:
                reason: {type: string, enum: [request, expired, check, brake, another_node, filter]}
                detail: {type: string, description: 'More of the reason, such as the name of a check.'}
                index: {$ref: '#/components/schemas/Count'}
                time: {$ref: '#/components/schemas/Time'}
                sequence: {$ref: '#/components/schemas/Count', description: Its place in the list.}
                id_origin: {type: string, enum: [\(names(IdentifierOrigin.self))]}
                instance: {$ref: '#/components/schemas/Instance'}
            PolicyEvent:
              description: The data of policy; in a snapshot only name and policy.
              type: object
              required: [name, policy]
              properties:
                reason: {type: string, enum: [request, another_node]}
                index: {$ref: '#/components/schemas/Count'}
                time: {$ref: '#/components/schemas/Time'}
                name: {type: string}
                policy:
                  description: 'null: it is gone.'
                  anyOf: [{$ref: '#/components/schemas/Policy'}, {type: 'null'}]
            LiveEvent:
              description: The data of live - everything up to here was told.
              type: object
              required: [index]
              properties:
                index: {$ref: '#/components/schemas/Count'}
            NoticeEvent:
              description: The data of reset and of lagged.
              type: object
              required: [reason]
              properties:
                reason: {type: string}
        """
}
