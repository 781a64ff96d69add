import Engine
import Logging
import Synchronization

@testable import ControlPlane

/// A clock that stands still until it is advanced.
final class TestClock: Sendable {
    private let moment = Mutex(
        Moment(monotonic: .now, wall: WallTime(millisecondsSince1970: 1_800_000_000_000))
    )

    var now: Moment { moment.withLock { $0 } }

    var source: TimeSource { TimeSource { self.now } }

    func advance(by duration: Duration) {
        moment.withLock { $0 = $0.advanced(by: duration) }
    }
}

/// Timers that fire when they are told to.
final class TestTimers: Timers {
    private let waiting = Mutex<[(delay: Duration, action: @Sendable () -> Void)]>([])

    func every(
        _ interval: Duration, after delay: Duration, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void { {} }

    func once(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        waiting.withLock { $0.append((delay, action)) }
    }

    /// The delays of the waiting timers.
    var delays: [Duration] { waiting.withLock { $0.map(\.delay) } }

    /// Fires all waiting timers.
    func ring() {
        let actions = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting.map(\.action)
        }
        for action in actions { action() }
    }
}

/// A zone as the engine would have it after all publications.
final class TestZone: ZoneSink {
    private struct State {
        var names: [String: ZoneName] = [:]
        var updates: [ZoneUpdate] = []
        var rejectedName: String?
    }

    private let state = Mutex(State())

    func publish(_ update: ZoneUpdate) throws(EngineError) -> UInt64 {
        let (generation, rejected) = state.withLock { state -> (Int, String?) in
            if let name = state.rejectedName, update.changes.contains(where: { $0.name == name }) { return (0, name) }
            state.updates.append(update)
            for change in update.changes {
                state.names[change.name, default: ZoneName()].apply(change.content)
                if state.names[change.name]?.content == .absent { state.names[change.name] = nil }
            }
            return (state.updates.count, nil)
        }
        if let rejected { throw .invalidRecords(name: rejected) }
        return UInt64(generation)
    }

    /// Refuses every update that has this name.
    func reject(_ name: String) { state.withLock { $0.rejectedName = name } }

    /// All names that exist.
    var names: Set<String> { state.withLock { Set($0.names.keys) } }

    var updates: [ZoneUpdate] { state.withLock { $0.updates } }

    func content(_ name: String) -> NameContent? { state.withLock { $0.names[name]?.content } }

    /// The addresses of a name's A and AAAA records.
    func addresses(_ name: String) -> [String] {
        guard case .records(let sets) = content(name) else { return [] }
        return sets.flatMap(\.records).compactMap { record in
            if case .address(let address) = record.data { "\(address)" } else { nil }
        }
    }
}

/// The content of a name after all changes.
private struct ZoneName {
    private var whole = NameContent.absent
    /// RRsets that change record by record.
    private var lists: [RecordType: RRsetChange] = [:]

    mutating func apply(_ content: NameContent) {
        guard case .changed(let changes) = content else {
            (whole, lists) = (content, [:])
            return
        }
        if case .records = whole {} else { whole = .records([]) }
        for change in changes { apply(change) }
    }

    private mutating func apply(_ change: RRsetChange) {
        if case .records(let sets) = whole { whole = .records(sets.filter { $0.type != change.type }) }
        var list = change
        var records = change.isWhole ? [] : lists[change.type]?.records ?? []
        for each in change.records {
            records.removeAll { $0.sequence == each.sequence }
            if each.record != nil { records.append(each) }
        }
        list.records = records.sorted { $0.sequence < $1.sequence }
        lists[change.type] = records.isEmpty ? nil : list
    }

    /// The whole content, as if it had been given at once.
    var content: NameContent {
        guard case .records(let sets) = whole else { return whole }
        return .records((sets + lists.values.map(\.rrset)).sorted { $0.type.rawValue < $1.type.rawValue })
    }
}

extension RRsetChange {
    /// The records with weights in lowest terms.
    fileprivate var rrset: RRset {
        let records = records.compactMap(\.record)
        let divisor = UInt32(ServiceRecords.greatestCommonDivisor(records.map { Int($0.weight) }))
        return RRset(
            type: type, ttl: ttl,
            records: records.map { record in
                guard case .service(let priority, let weight, let port, let target) = record.data else {
                    return Record(record.data, weight: record.weight / divisor)
                }
                let weightInAnswers = weight / weightDivisor
                return Record(
                    .service(priority: priority, weight: weightInAnswers, port: port, target: target),
                    weight: UInt32(weightInAnswers))
            })
    }
}

extension ServiceInstance {
    /// An instance for tests; `sequence` also makes its id.
    static func test(
        _ sequence: UInt64 = 1,
        name: String = "orders",
        ip: String = "10.0.0.1",
        port: UInt16 = 80,
        transport: TransportProtocol = .tcp,
        tags: [String] = [],
        weight: UInt16 = 100,
        priority: UInt16 = 0,
        ttl: Int = 30,
        dnsTTL: UInt32 = 5,
        checks: [Check] = [],
        draining: Bool = false
    ) -> ServiceInstance {
        ServiceInstance(
            id: "i\(sequence)",
            name: name,
            address: IPAddress(ip) ?? .v4(0),
            port: port,
            transport: transport,
            tags: tags,
            metadata: [],
            weight: weight,
            priority: priority,
            ttlSeconds: ttl,
            dnsTTL: dnsTTL,
            checks: checks,
            isDraining: draining,
            registeredAt: WallTime(millisecondsSince1970: 0),
            sequence: sequence
        )
    }
}

extension RegisteredInstance {
    /// A permanent, healthy instance for tests.
    init(_ instance: ServiceInstance) {
        self.init(instance: instance, lease: Lease(ttlSeconds: 0, now: TestClock().now))
    }

    /// The same; see ``ServiceInstance/test(_:name:ip:port:transport:tags:weight:priority:ttl:dnsTTL:checks:draining:)``.
    static func test(_ sequence: UInt64 = 1, name: String = "orders", ip: String = "10.0.0.1") -> RegisteredInstance {
        RegisteredInstance(ServiceInstance.test(sequence, name: name, ip: ip))
    }
}

extension InstanceHealth {
    /// What its check `web` has found, which is not stored yet.
    init(web status: CheckStatus) {
        let time = WallTime(millisecondsSince1970: 1)
        self.init(unstored: [CheckRecord(name: "web", status: status, since: time, checkedAt: time)])
    }
}

extension PublishedInstance {
    /// Made from a healthy instance.
    init(_ instance: ServiceInstance) { self.init(RegisteredInstance(instance)) }
}

extension InstanceTable {
    /// A table of instances, each with a whole ttl from `now`.
    init(_ instances: [ServiceInstance], now: Moment) {
        self.init()
        for instance in instances { put(instance, lease: Lease(ttlSeconds: instance.ttlSeconds, now: now)) }
    }
}

extension Registration {
    /// A registration for tests without an id.
    static func anonymous(_ ip: String = "10.0.0.1", name: String = "orders", ttl: Int = 30) -> Registration {
        var registration = Registration.test(name: name, ip: ip, ttl: ttl)
        registration.hasDerivedID = true
        registration.id = registration.derivedID
        return registration
    }

    /// A registration for tests.
    static func test(
        _ id: String = "a",
        name: String = "orders",
        ip: String = "10.0.0.1",
        tags: [String] = [],
        weight: UInt16 = 100,
        ttl: Int = 30,
        checks: [Check] = []
    ) -> Registration {
        Registration(
            id: id,
            name: name,
            address: IPAddress(ip) ?? .v4(0),
            port: 80,
            transport: .tcp,
            tags: tags,
            metadata: [],
            weight: weight,
            priority: 0,
            ttlSeconds: ttl,
            dnsTTL: 5,
            checks: checks
        )
    }
}

/// A registry with a clock and a zone of its own.
struct TestRegistry {
    let clock: TestClock
    let zone = TestZone()
    let registry: Registry

    init(
        store: any Store = MemoryStore(), policy: RecordPolicy = RecordPolicy(),
        limits: Configuration.RegistryLimits = .init(), timers: any Timers = EventLoopTimers.shared,
        clock: TestClock = TestClock()
    ) {
        self.clock = clock
        registry = Registry(
            store: store,
            publisher: ZonePublisher(sink: zone, policy: policy),
            limits: limits,
            // No search takes place on its own within the life of a test.
            cleanupInterval: .seconds(3600),
            time: clock.source,
            timers: timers,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    /// Runs `body` while the registry, loaded, makes changes.
    func running(_ body: () async throws -> Void) async throws { try await registry.running(body) }

    /// Starts a search for expired instances, and returns when it is done: changes are made in order.
    func sweep() async throws {
        registry.sweep()
        _ = try await registry.deregister(id: "nobody")
    }
}

extension Registry {
    /// Loads what is stored, and runs `body` while changes are made.
    func running(_ body: () async throws -> Void) async throws {
        try await load()
        async let running: Void = run()
        do {
            try await body()
        } catch {
            stop()
            await running
            throw error
        }
        stop()
        await running
    }
}
