import HTTPTypes

extension Endpoint {
    /// Endpoints that tell of changes as they happen.
    static let events: [Endpoint] = [
        Endpoint(
            .get, "/api/v1/events", access: .read, parameters: EventsQuery.parameterNames, needsRegistry: true,
            operation: """
                operationId: events
                summary: Follow the changes as they happen, as server-sent events.
                description: |
                  The events are registered, updated, status, deregistered, expired and policy. With a snapshot they
                  follow all instances (instance), and live. A client that applies each to what it has, has what the
                  list shows. reset means that the client's last event is not known here: all instances come again.
                  lagged means that the client is too slow: it is cut off, and may come back. With a filter, an
                  instance that no longer matches is deregistered with the reason filter, and one that begins to match
                  is registered.
                parameters:
                  - name: name
                    in: query
                    description: Events of this service only.
                    schema: {type: string, minLength: 1}
                  - name: tag
                    in: query
                    description: Events of instances with this tag only, and of policies.
                    schema: {type: string, minLength: 1}
                  - name: snapshot
                    in: query
                    description: Whether all instances come first. Not with a last event that is known here.
                    schema: {type: boolean, default: false}
                  - name: last_event_id
                    in: query
                    description: |
                      The id of the last event that the client has had, as in the field Last-Event-ID, which takes
                      precedence. What came since is sent.
                    schema: {type: string, minLength: 1}
                responses:
                  '200':
                    description: |
                      It has no end. Each event's data is an object.
                    headers: {X-Registry-Index: {$ref: '#/components/headers/RegistryIndex'}}
                    content:
                      text/event-stream:
                        schema:
                          description: >-
                            The data of its events are InstanceEvent, PolicyEvent, LiveEvent or NoticeEvent, as JSON.
                          type: string
                        example: |
                          id: 5f0c7e1d22a94b03-17
                          event: deregistered
                          data: {"reason":"expired","index":17,"time":"2026-11-26T21:36:36.528Z",…}

                  '503': {$ref: '#/components/responses/Unavailable'}
                """
        ) { api, request in api.events(request) }
    ]
}
