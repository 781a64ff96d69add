extension OpenAPIDocument {
    /// What clients ask, and why they are answered as they are.
    static let insightSchemas = """
            Queries:
              type: object
              required: [since, queries, sampled, sampling_rate, names, nxdomain, servfail, refused, skipped_failures]
              properties:
                since: {type: string, format: date-time, description: When the count began.}
                queries: {type: integer, minimum: 0, description: All queries since.}
                sampled:
                  type: integer
                  minimum: 0
                  description: Those that were looked at; each stands for those before it.
                sampling_rate: {type: number, minimum: 0, maximum: 1}
                names:
                  type: array
                  items:
                    type: object
                    required: [name, queries, types]
                    properties:
                      name: {$ref: '#/components/schemas/DomainName'}
                      queries: {$ref: '#/components/schemas/Count'}
                      types: {type: object, additionalProperties: {$ref: '#/components/schemas/Count'}}
                nxdomain: {type: array, items: {$ref: '#/components/schemas/FailedQuery'}}
                servfail: {type: array, items: {$ref: '#/components/schemas/FailedQuery'}}
                refused: {type: array, items: {$ref: '#/components/schemas/FailedQuery'}}
                skipped_failures:
                  type: integer
                  description: Failures since the start that were left out, beyond 64 a second of each worker.
            Explanation:
              type: object
              required:
                [name, kind, service, client, time, answers, grace_ends_at, last_known, notes, instances_total,
                instances, nearest, upstreams]
              properties:
                name: {$ref: '#/components/schemas/DomainName'}
                kind: {type: string, enum: [domain, service, tag, protocol, address, unknown, outside]}
                service: {type: [string, 'null']}
                client: {type: [string, 'null'], description: Whom the answers are for.}
                time: {$ref: '#/components/schemas/Time'}
                answers: {type: array, items: {$ref: '#/components/schemas/ExplainedAnswer'}}
                grace_ends_at:
                  type: [string, 'null']
                  format: date-time
                  description: Until then SERVFAIL, because the last healthy instance has gone (dns.empty_grace).
                last_known:
                  type: [object, 'null']
                  description: >-
                    No instance is healthy, so the name answers those that it had last (dns.on_empty); at most until
                    then.
                  required: [since, until]
                  properties:
                    since: {$ref: '#/components/schemas/Time'}
                    until: {$ref: '#/components/schemas/Time'}
                notes: {type: array, items: {$ref: '#/components/schemas/ExplanationNote'}}
                instances_total: {$ref: '#/components/schemas/Count'}
                instances:
                  description: Of the name, in the order of their registration; 1,000 at most.
                  type: array
                  items: {$ref: '#/components/schemas/ExplainedInstance'}
                nearest:
                  description: For a name without instances, names that exist and are almost this one.
                  type: array
                  items: {$ref: '#/components/schemas/DomainName'}
                upstreams:
                  description: For names outside.
                  type: array
                  items:
                    type: object
                    properties:
                      address: {type: string}
                      health: {type: string, enum: [pass, fail]}
                      last_failure: {type: [string, 'null'], enum: [timeout, answer, connection, unreachable, null]}
                      failed_at: {type: [string, 'null'], format: date-time}
            ExplainedAnswer:
              type: object
              required: [type, code, source, why, truncated_over_udp, record_count, records, workers, cache]
              properties:
                type: {type: string}
                code: {type: [string, 'null'], description: null - upstreams have to be asked first.}
                source: {type: string, enum: [zone, address, special, cache, upstream, none]}
                why: {type: string, description: For people.}
                truncated_over_udp: {type: boolean, description: 'Without EDNS: the client has to ask over TCP.'}
                record_count: {type: [integer, 'null'], description: 'Of the RRset, however many the answer holds.'}
                records:
                  description: As the first worker answers over TCP.
                  type: array
                  items:
                    type: object
                    properties:
                      section: {type: string, enum: [answer, authority, additional]}
                      name: {type: string}
                      ttl: {$ref: '#/components/schemas/Count'}
                      type: {type: string}
                      data: {type: string}
                workers:
                  description: Each rotates by itself, so they differ in which record comes first.
                  type: array
                  items:
                    type: object
                    properties:
                      worker: {$ref: '#/components/schemas/Count'}
                      zone_generation: {$ref: '#/components/schemas/Count'}
                      first: {type: [string, 'null']}
                cache:
                  description: What the cache has of a name outside, expired or not.
                  type: [object, 'null']
                  properties:
                    code: {type: string}
                    age_seconds: {$ref: '#/components/schemas/Count'}
                    ttl_seconds: {$ref: '#/components/schemas/Count'}
                    stale: {type: boolean}
                    usable_seconds: {type: integer, minimum: 0, description: 'If upstreams fail (RFC 8767).'}
                failed_at:
                  type: [string, 'null']
                  format: date-time
                  description: When no upstream has answered this question last; within 30 s.
                recursion_allowed: {type: boolean, description: To this client (dns.recursion_allow).}
            ExplainedInstance:
              type: object
              required: [id, ip, port, status, since, answers, checks, notes, expires_at]
              properties:
                id: {type: string}
                ip: {type: string}
                port: {$ref: '#/components/schemas/Count'}
                protocol: {type: string, enum: [\(names(TransportProtocol.self))]}
                weight: {$ref: '#/components/schemas/Count'}
                priority: {$ref: '#/components/schemas/Count'}
                status:
                  description: Expired - it is answered as one of the last known, and not registered any more.
                  type: string
                  enum: [\(names(InstanceStatus.self)), expired]
                since: {type: [string, 'null'], format: date-time, description: As its checks have found it.}
                answers:
                  description: By type, "answered" or why it is not in the answer.
                  type: object
                  additionalProperties:
                    type: string
                    enum: [\(names(AnswerReason.self))]
                checks: {type: array, items: {$ref: '#/components/schemas/CheckState'}}
                notes: {type: array, items: {$ref: '#/components/schemas/ExplanationNote'}}
                registered_at: {$ref: '#/components/schemas/Time'}
                last_heartbeat: {$ref: '#/components/schemas/Time'}
                expires_at: {type: [string, 'null'], format: date-time}
            ExplanationNote:
              type: object
              required: [source, text, since, until]
              properties:
                source: {type: string, description: What says so - a policy or a brake.}
                text: {type: string}
                since: {type: [string, 'null'], format: date-time}
                until: {type: [string, 'null'], format: date-time}
            DomainName: {type: string, description: 'With escapes (RFC 1035 §5.1), in lower case.'}
            FailedQuery:
              type: object
              required: [time, name, type, client, count]
              properties:
                time: {$ref: '#/components/schemas/Time'}
                name: {$ref: '#/components/schemas/DomainName'}
                type: {type: string, examples: [A, SRV, TYPE65280]}
                client: {type: [string, 'null']}
                count: {type: integer, minimum: 0, description: How often it was noted; the time is that of the last.}
        """
}
