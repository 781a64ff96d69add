import Engine
import Logging
import NIOCore

/// The one task that changes the registry: storage first, then DNS, then the answer to who asked.
///
/// Requests that arrive while a group is being committed become the next group. It has a thread of its own, because
/// publishing blocks for the time the DNS workers need to take the change over.
actor RegistryCommitter {
    /// Deadlines looked at before others get their turn again.
    private static let sweepLimit = 2048

    // Unsafe: the reference is unowned; the event loop lives as long as the actor, which holds it.
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe eventLoop.executor.asUnownedSerialExecutor() }

    private let eventLoop: any EventLoop
    private let queue: CommitQueue
    private let store: any Store
    private let time: TimeSource
    private let logger: Logger
    private var publisher: ZonePublisher

    init(
        eventLoop: any EventLoop,
        queue: CommitQueue,
        store: any Store,
        publisher: ZonePublisher,
        time: TimeSource,
        logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.queue = queue
        self.store = store
        self.publisher = publisher
        self.time = time
        self.logger = logger
    }

    /// Fills the store's view and publishes every service, in slices.
    func load() async throws {
        try await store.load(now: time.now())
        let services = store.view.withTable { $0.unsortedServiceSummaries() }.map(\.name)
        var rest = services[...]
        repeat {
            // Also when there is none: a publication makes the zone known.
            publish(Array(rest.prefix(1000)))
            rest = rest.dropFirst(1000)
        } while !rest.isEmpty
    }

    /// Works until the queue is closed and empty.
    func run() async {
        while let work = await queue.next() {
            if work.isSweepDue { await sweep() }
            if !work.group.isEmpty { await commit(work.group) }
        }
    }

    /// The generation of the zone that was published last.
    var zoneGeneration: UInt64 { publisher.generation }

    private func commit(_ group: [PendingCommit]) async {
        var plan = CommitPlan(
            nextSequence: store.view.withTable { $0.nextSequence },
            capacity: group.reduce(0) { $0 + $1.commands.count }
        )
        let now = time.now()
        for request in group {
            for command in request.commands {
                plan.add(command, now: now) { store.instance(id: $0)?.instance }
            }
        }
        let results: [RegisteredInstance?]
        do {
            results = try await store.commit(plan.changes, time: time)
        } catch {
            logger.error("storage does not take changes", metadata: ["error": "\(error)"])
            for request in group { request.continuation.resume(returning: .failure(.storeUnavailable)) }
            return
        }
        publish(plan.services)
        var outcomes = plan.outcomes(results)[...]
        for request in group {
            request.continuation.resume(returning: .success(Array(outcomes.prefix(request.commands.count))))
            outcomes = outcomes.dropFirst(request.commands.count)
        }
    }

    private func sweep() async {
        do {
            let expired = try await store.removeExpired(now: time.now(), limit: Self.sweepLimit)
            if !expired.instances.isEmpty {
                publish(Set(expired.instances.map(\.name)))
                for instance in expired.instances {
                    logger.debug("instance expired", metadata: ["id": "\(instance.id)", "name": "\(instance.name)"])
                }
            }
            if !expired.isComplete { queue.requestSweep() }
        } catch {
            logger.error("storage does not remove expired instances", metadata: ["error": "\(error)"])
        }
    }

    private func publish(_ services: some Collection<String>) {
        do {
            try publisher.publish(services, now: time.now().wall) { store.instances(ofService: $0) }
        } catch {
            // Nothing a client sends gets here: names and records were checked when they were registered. One bad
            // service must not keep the others of its group out of DNS.
            logger.critical("the zone was not published", metadata: ["error": "\(error)"])
            guard services.count > 1 else { return }
            for service in services { publish([service]) }
        }
    }
}
