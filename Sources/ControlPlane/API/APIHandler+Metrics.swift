import HTTPTypes
import NIOCore

extension APIHandler {
    /// `GET /metrics`. With figures of services it is made beside the event loops: other requests must not wait.
    func metrics() async -> ServerResponse {
        guard hasServiceMetrics else { return makeMetrics() }
        // At the limit of those answers the figures of services are missing: the others are needed most of all then.
        return await largeAnswers.run { makeMetrics(ofServices: true) } ?? makeMetrics()
    }

    private func makeMetrics(ofServices: Bool = false) -> ServerResponse {
        var writer = MetricsWriter()
        let statistics = state.statistics
        writer.server(state, now: time.now())
        writer.engine(statistics)
        writer.queryLog(state.queryLog)
        writer.registry(registry)
        if ofServices { writer.services(registry) }
        writer.http(counters, titles: endpoints.table.all.map(\.title))
        writer.refusals(access.refusals.counts)
        writer.limits(limiter)
        writer.security(state)
        writer.checks(checks?.summary ?? CheckSummary())
        writer.process(.read())
        return ServerResponse(
            status: .ok, contentType: MetricsWriter.contentType, body: ByteBuffer(bytes: writer.octets))
    }
}

extension MetricsWriter {
    fileprivate mutating func server(_ state: ServerState, now: Moment) {
        begin("\(Self.prefix)build_info", .gauge, "The program: always 1.")
        sample("\(Self.prefix)build_info", [Label("version", state.version)], 1)
        metric(
            "\(Self.prefix)ready", .gauge, "Whether DNS answers from a loaded registry: 1 or 0.",
            state.isReady ? 1 : 0)
        metric(
            "\(Self.prefix)uptime_seconds", .gauge, "Since the start.", state.uptimeSeconds(now: now.monotonic))
    }

    fileprivate mutating func registry(_ registry: Registry) {
        let summary = registry.summary()
        let instances = "\(Self.prefix)registry_instances"
        begin(instances, .gauge, "Registered instances by status.")
        for status in InstanceStatus.allCases {
            sample(instances, [Label("status", status.rawValue)], summary.counts[status])
        }
        metric(
            "\(Self.prefix)registry_max_instances", .gauge, "The most instances that it may hold.",
            registry.limits.maximumInstances)
        metric("\(Self.prefix)registry_services", .gauge, "Services with an instance.", summary.serviceCount)
        metric(
            "\(Self.prefix)registry_names", .gauge, "Names in DNS, those of tags and protocols too.", summary.nameCount)
        metric(
            "\(Self.prefix)registry_max_names", .gauge, "The most names that there may be in DNS.",
            registry.limits.maximumNames)
        metric("\(Self.prefix)registry_index", .gauge, "The index of the last change.", registry.feed.lastIndex)
        metric(
            "\(Self.prefix)registry_queued_changes", .gauge, "Changes that wait to be stored.", summary.queuedChanges)
        metric(
            "\(Self.prefix)registry_max_queued_changes", .gauge, "The most changes that may wait.",
            CommitQueue.maximumCommands)
        changes(registry.counters)
        let brakes = "\(Self.prefix)registry_brakes"
        begin(brakes, .gauge, "Services that are kept from being wrongly empty, by what does it.")
        for kind in BrakeInForce.Kind.allCases {
            sample(brakes, [Label("kind", kind.rawValue)], registry.brakeCount(kind))
        }
        metric(
            "\(Self.prefix)registry_last_known_names", .gauge, "Names that answer their last known instances.",
            summary.lastKnownNames)
        metric("\(Self.prefix)zone_generation", .gauge, "Publications of the zone so far.", summary.zoneGeneration)
        metric(
            "\(Self.prefix)event_readers", .gauge, "Readers of GET /api/v1/events now.", registry.feed.readerCount)
        storage(summary, registry.counters)
    }

    private mutating func changes(_ counters: RegistryCounters) {
        let changes = "\(Self.prefix)registry_changes_total"
        begin(changes, .counter, "Changes of instances, by what happened and why.")
        let counts = counters.changeCounts
        // All pairs, also those that have not happened: a rate needs the 0 before the first one.
        for event in RegistryCounters.Event.allCases {
            for reason in ChangeReason.Kind.allCases {
                sample(
                    changes, [Label("event", event.rawValue), Label("reason", reason.rawValue)], counts[event, reason])
            }
        }
        let beats = counters.heartbeats
        let heartbeats = "\(Self.prefix)registry_heartbeats_total"
        begin(heartbeats, .counter, "Heartbeats, by whether the instance is known.")
        sample(heartbeats, [Label("result", "renewed")], beats.renewed)
        sample(heartbeats, [Label("result", "unknown")], beats.unknown)
    }

    private mutating func storage(_ summary: RegistrySummary, _ counters: RegistryCounters) {
        let healthy = "\(Self.prefix)storage_healthy"
        begin(healthy, .gauge, "Whether the storage takes changes: 1 or 0.")
        sample(healthy, [Label("type", summary.storeType)], summary.storeState.isHealthy ? 1 : 0)
        metric(
            "\(Self.prefix)storage_lag_seconds", .gauge, "How old what is known of the storage may be.",
            summary.storeState.lagSeconds)
        metric(
            "\(Self.prefix)storage_failures_total", .counter, "Groups of changes that could not be stored.",
            counters.failures)
        let storing = "\(Self.prefix)storage_commit_seconds"
        begin(storing, .histogram, "How long groups of changes took to be stored.")
        samples(storing, of: counters.storing.value)
        let publishing = "\(Self.prefix)zone_publish_seconds"
        begin(publishing, .histogram, "How long changes took to be in the answers of all DNS workers.")
        samples(publishing, of: counters.publishing.value)
        let details = summary.storeState.details.compactMap { detail -> (String, Int)? in
            if case .number(let number) = detail.value { (detail.name, number) } else { nil }
        }
        if details.isEmpty { return }
        let name = "\(Self.prefix)storage_detail"
        begin(name, .gauge, "What else this kind of storage tells of itself, as in /api/v1/status.")
        for (detail, number) in details { sample(name, [Label("name", detail)], number) }
    }

    /// Under the names that all programs have them.
    fileprivate mutating func process(_ figures: ProcessFigures) {
        if let seconds = figures.cpuSeconds {
            metric("process_cpu_seconds_total", .counter, "CPU time of all threads.", seconds)
        }
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory.", figures.residentBytes),
            ("process_virtual_memory_bytes", "Address space.", figures.virtualBytes),
            ("process_threads", "Threads.", figures.threads),
            ("process_open_fds", "Open file descriptors.", figures.openDescriptors),
            ("process_max_fds", "The most file descriptors that it may open.", figures.maximumDescriptors),
        ] {
            if let value { metric(name, .gauge, help, value) }
        }
    }
}
