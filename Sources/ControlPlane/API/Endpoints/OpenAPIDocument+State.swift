import Engine

extension OpenAPIDocument {
    /// The state of the server.
    static let stateSchemas = """
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
                status: {$ref: '#/components/schemas/Verdict'}
                message: {type: string, description: 'why, in one sentence'}
            Health:
              type: object
              required: [status, checks]
              properties:
                status: {$ref: '#/components/schemas/Verdict'}
                checks:
                  description: 'dns, storage, upstreams, checker, queue; certificate - with TLS.'
                  type: object
                  additionalProperties: {$ref: '#/components/schemas/Part'}
            ServerStatus:
              type: object
              required: [version, uptime_seconds, ready, health, certificate, storage, checks, instances, services,
                zone, access, brakes, last_known_names, \(groups),
                upstreams]
              properties:
                version: {type: string}
                uptime_seconds: {$ref: '#/components/schemas/Count'}
                ready: {type: boolean}
                health: {$ref: '#/components/schemas/Health'}
                certificate:
                  description: What new connections are shown; null without TLS.
                  type: [object, 'null']
                  properties:
                    health: {$ref: '#/components/schemas/Verdict', description: 'warn: it ends within 14 days'}
                    subject: {type: string, description: RFC 4514}
                    not_before: {$ref: '#/components/schemas/Time'}
                    not_after: {$ref: '#/components/schemas/Time'}
                    days_left: {type: integer, description: 'whole days; below 0: it has ended'}
                storage:
                  type: object
                  properties:
                    type: {type: string}
                    health: {type: string, enum: [pass, fail]}
                    lag_seconds: {type: number, description: how old what is known may be; 0 below a second}
                    problem: {type: string, description: why no changes are kept now; missing when they are}
                    endpoint: {type: string, description: 'etcd: the member that is asked first'}
                    revision: {type: integer, minimum: 0, description: 'etcd: up to where everything was seen'}
                    malformed_values:
                      type: integer
                      minimum: 0
                      description: 'etcd: keys whose values are no instances'
                    waiting_heartbeats: {type: integer, minimum: 0, description: 'etcd: leases to be renewed'}
                    unconfirmed_instances:
                      type: integer
                      minimum: 0
                      description: 'etcd: instances whose leases have ended'
                    node: {type: string, description: 'etcd: what other nodes know this process by'}
                    nodes:
                      type: integer
                      minimum: 0
                      description: 'etcd: nodes that share the checks, this one included'
                checks:
                  type: object
                  properties:
                    instances: {type: integer, minimum: 0, description: instances that have checks}
                    instances_here: {type: integer, minimum: 0, description: those that this node checks}
                    nodes: {type: integer, minimum: 0, description: nodes that share the work}
                    checks: {type: integer, minimum: 0, description: checks that this node does}
                    running: {type: integer, minimum: 0, description: runs under way}
                    succeeded: {type: integer, minimum: 0, description: runs since the start}
                    failed: {type: integer, minimum: 0, description: runs since the start}
                    cut_off: {type: boolean, description: most fail at once - statuses stay as they are}
                instances:
                  type: object
                  additionalProperties: {$ref: '#/components/schemas/Count'}
                services: {$ref: '#/components/schemas/Count'}
                zone:
                  type: object
                  properties:
                    domain: {type: [string, 'null'], description: 'dns.domain, without a dot at its end'}
                    generation: {$ref: '#/components/schemas/Count'}
                access:
                  description: Who may use the API, and how often requests were refused.
                  type: object
                  properties:
                    tokens_required: {type: boolean}
                    tokens: {$ref: '#/components/schemas/Count'}
                    unauthorized: {type: integer, minimum: 0, description: requests without a valid token (401)}
                    forbidden:
                      type: integer
                      minimum: 0
                      description: 'requests, and items, that are not allowed (403)'
                    malformed:
                      type: integer
                      minimum: 0
                      description: requests with a token that can't be read (400)
                brakes:
                  description: What keeps services from being wrongly empty at present.
                  type: object
                  properties:
                    count: {$ref: '#/components/schemas/Count'}
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
        \(upstreamCounters)
                      leads_back: {type: boolean, description: to this server - it is not asked while it does}
        """

    private static var groups: String { names(Counter.Group.self) }

    private static func counter(_ name: String, _ help: String) -> String {
        "\(name): {type: integer, minimum: 0, description: \"\(help)\"}"
    }

    /// The counters of an upstream.
    private static var upstreamCounters: String {
        UpstreamCounter.allCases.map { "              " + counter($0.rawValue, $0.help) }.joined(separator: "\n")
    }

    /// The schemas of the counters, each group an object.
    private static var counters: String {
        Counter.Group.allCases.map { group in
            let properties = Counter.allCases.map(\.description).filter { $0.group == group }.map {
                "            " + counter($0.name, $0.help)
            }
            return (["        \(group.rawValue):", "          type: object", "          properties:"] + properties)
                .joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
