import Engine

extension JSONWriter {
    /// An instance as the API shows it.
    mutating func instance(_ registered: RegisteredInstance) {
        let instance = registered.instance
        beginObject()
        registeredFields(instance)
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
