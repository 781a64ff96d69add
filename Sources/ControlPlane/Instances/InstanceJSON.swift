import Engine

extension JSONWriter {
    /// An instance as the API shows it.
    ///
    /// - Parameter observer: knows what its checks have found last.
    mutating func instance(_ registered: RegisteredInstance, _ observer: (any CheckObserver)? = nil) {
        let instance = registered.instance
        beginObject()
        registeredFields(instance)
        member("checks")
        checks(of: registered, instance.checks.isEmpty ? [] : observer?.observations(ofInstance: instance.id) ?? [])
        member("status")
        string(registered.status.rawValue)
        member("registered_at")
        time(instance.registeredAt)
        member("last_heartbeat")
        time(registered.lease.lastHeartbeat)
        member("expires_at")
        time(registered.lease.expiresAt)
        endObject()
    }

    /// The checks of an instance with what is known of them, as an array.
    ///
    /// - Parameter observations: what they have found last, as far as this server runs them.
    mutating func checks(of registered: RegisteredInstance, _ observations: [CheckRecord]) {
        beginArray()
        for check in registered.instance.checks {
            var result = registered.result(of: check)
            // The status and its time are what DNS goes by.
            if let last = observations.first(where: { $0.name == check.name }), last.isNewer(than: result) {
                result.output = last.output
                result.durationMilliseconds = last.durationMilliseconds
                result.checkedAt = last.checkedAt
            }
            beginObject()
            checkMembers(check)
            member("status")
            string(result.status.rawValue)
            member("since")
            time(result.since)
            member("output")
            string(result.output)
            member("duration_ms")
            if let duration = result.durationMilliseconds { integer(duration) } else { null() }
            member("checked_at")
            time(result.checkedAt)
            endObject()
        }
        endArray()
    }

    /// The registered fields of an instance, as members of the object being written.
    mutating func registeredFields(_ instance: ServiceInstance) {
        member("id")
        string(instance.id)
        member("name")
        string(instance.name)
        member("ip")
        string(instance.address.description)
        member("port")
        integer(instance.port)
        member("protocol")
        string(instance.transport.rawValue)
        member("tags")
        tags(instance.tags)
        member("metadata")
        metadata(instance.metadata)
        member("weight")
        integer(instance.weight)
        member("priority")
        integer(instance.priority)
        member("ttl")
        integer(instance.ttlSeconds)
        member("dns_ttl")
        integer(instance.dnsTTL)
    }

    /// Tags as an array.
    mutating func tags(_ tags: [String]) {
        beginArray()
        for tag in tags { string(tag) }
        endArray()
    }

    /// Metadata as an object.
    mutating func metadata(_ metadata: [MetadataEntry]) {
        beginObject()
        for entry in metadata {
            member(any: entry.key)
            string(entry.value)
        }
        endObject()
    }

    /// The checks in numbers, as an object.
    mutating func checkSummary(_ summary: CheckSummary) {
        beginObject()
        member("instances")
        integer(summary.instances)
        member("instances_here")
        integer(summary.instancesHere)
        member("nodes")
        integer(summary.nodes)
        member("checks")
        integer(summary.checks)
        member("running")
        integer(summary.running)
        member("succeeded")
        integer(summary.succeeded)
        member("failed")
        integer(summary.failed)
        member("cut_off")
        bool(summary.isCutOff)
        endObject()
    }

    /// Counts by status, as members of the object being written.
    mutating func statusCounts(_ counts: StatusCounts) {
        member("passing")
        integer(counts.passing)
        member("warning")
        integer(counts.warning)
        member("critical")
        integer(counts.critical)
        member("draining")
        integer(counts.draining)
    }
}
