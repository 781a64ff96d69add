import Engine

@testable import ControlPlane

/// A client that registers an instance, keeps it alive, changes it and deregisters it, at any node that answers.
final class SimulatedClient: @unchecked Sendable {
    private let cluster: Cluster
    let id: String
    private let number: Int
    private let ttl: Int
    /// Where its instance listens.
    let address: IPAddress
    private let checks: [Check]
    private(set) var reporting = ReportingClient()
    /// The time until which it does nothing.
    private var silenceEnd: Microseconds = 0
    /// The service for which it registers.
    private var name: String
    private var home: Int
    /// Whether its instance should be registered.
    private(set) var isWanted = false
    /// Whether it was told that its instance is registered.
    private var isRegistered = false
    /// Whether it still has to deregister its instance, because no node has confirmed that.
    private var isToBeTakenOut = false
    /// Whether it did not wait for the end of a deregistration, which may still take out what it registered since.
    private var mayBeTakenOut = false
    /// How many times in a row nodes have answered that they do not know the instance.
    private var refusals = 0
    private var pending: Operation?
    /// Whether it makes only necessary changes from now on.
    var isSettled = false

    init(_ number: Int, id: String, ttl: Int, _ checks: [Check], _ cluster: Cluster) {
        self.number = number
        self.id = id
        self.ttl = ttl
        self.checks = checks
        self.cluster = cluster
        address = .v4(0x0A00_0001 + UInt32(number))
        name = "a"
        home = number % cluster.nodes.count
    }

    private var world: World { cluster.world }

    /// Whether it has reached everything that it wants.
    var isContent: Bool {
        pending == nil && isRegistered == isWanted && !isToBeTakenOut
            && (!isWanted || !reports || reporting.known == reporting.status)
    }

    /// Whether its instance is removed if a check is critical for long.
    var mayBeExpelled: Bool { checks.contains { $0.deregisterAfter != nil } }

    /// Whether its instance has a check whose results it reports.
    private var reports: Bool { checks.contains { $0.ttl != nil } }

    func live() {
        act()
        let pause: ClosedRange<Microseconds> =
            ttl > 0
            ? .milliseconds(150) ... .milliseconds(Int64(ttl) * 300) : .milliseconds(150) ... .milliseconds(1500)
        world.after(world.random.within(pause)) { [self] in live() }
    }

    // MARK: What befalls it

    func isSilent(for time: Microseconds) { silenceEnd = max(silenceEnd, world.now + time) }

    /// Its instance ends without being deregistered. It may begin again.
    func die() {
        if !isWanted { return }
        world.note("the client of \(id) dies")
        (isWanted, isRegistered, isToBeTakenOut) = (false, false, false)
        isSilent(for: world.random.within(0 ... .seconds(12)))
    }

    private func act() {
        if world.now < silenceEnd, !isSettled { return }
        if isRegistered, ttl > 0 { beat() }
        if isRegistered { report() }
        if let operation = pending {
            // It does not wait for ever. The change that it requested may still happen.
            if operation.start + .seconds(8) < world.now {
                if operation.kind == .deregister { mayBeTakenOut = true }
                pending = nil
                moveHome()
            }
            return
        }
        if isWanted, !isRegistered { return register() }
        if isToBeTakenOut { return deregister() }
        if isSettled { return }
        switch (isWanted, world.random.below(20)) {
        case (false, 0..<6): register()
        case (true, 0..<2): send(.patch, .patch(id: id, patch()))
        case (true, 2..<4):
            // The brake is for services of some instances.
            if world.random.once(in: cluster.brakeShare < 1 ? 12 : 3) { name = name == "a" ? "b" : "a" }
            register()
        case (true, 4..<6): deregister()
        case (true, 6): moveHome()
        default: break
        }
    }

    private func moveHome() { home = world.random.below(cluster.nodes.count) }

    private func register() {
        isWanted = true
        isToBeTakenOut = false
        var registration = Registration(
            id: id, name: name, address: address, port: 80, transport: .tcp, tags: [], metadata: [], weight: 0,
            priority: 0, ttlSeconds: ttl, dnsTTL: 5, hasDefaultDNSTTL: world.random.once(in: 2), checks: checks)
        if cluster.backing.takesEverything {
            registration.port += UInt16(world.random.below(2))
            registration.transport = world.random.once(in: 3) ? .udp : .tcp
            registration.priority = UInt16(world.random.below(2))
            registration.dnsTTL += UInt32(world.random.below(2))
            registration.tags = tags()
            registration.metadata = metadata()
        }
        // From a backup it comes with the results of its checks, which would be older ones.
        let isRestored = checks.isEmpty && world.random.once(in: 6)
        send(.register, isRestored ? .restore(restored(registration)) : .register(registration))
    }

    /// The instance as a backup has it.
    private func restored(_ registration: Registration) -> ServiceInstance {
        ServiceInstance(
            registration, id: id, idOrigin: .given, isDraining: world.random.once(in: 4),
            registeredAt: WallTime(millisecondsSince1970: Int64(world.random.below(1_000_000))),
            sequence: UInt64(world.random.below(1000)))
    }

    private func patch() -> InstancePatch {
        var patch = InstancePatch(isDraining: world.random.once(in: 4))
        if cluster.backing.takesEverything {
            if world.random.once(in: 2) { patch.tags = tags() }
            if world.random.once(in: 2) { patch.metadata = metadata() }
        }
        return patch
    }

    private func tags() -> [String] { ["red", "blue"].filter { _ in world.random.once(in: 2) } }

    /// No metadata, little, or more than fits on a page of a database.
    private func metadata() -> [MetadataEntry] {
        let length = [0, 20, 9000][world.random.below(3)]
        return length == 0
            ? [] : [MetadataEntry(key: "key", value: String(repeating: "v", count: world.random.below(length)))]
    }

    private func deregister() {
        isWanted = false
        isRegistered = false
        if !isToBeTakenOut { refusals = 0 }
        isToBeTakenOut = true
        send(.deregister, .deregister(id: id))
    }

    private func send(_ kind: Operation.Kind, _ command: RegistryCommand) {
        guard cluster.nodes[home].isServing, let life = cluster.nodes[home].life else { return moveHome() }
        let operation = cluster.history.begin(kind, id)
        pending = operation
        let command = command.withWeight(UInt16(operation.version))
        cluster.history.note(command, of: operation.version)
        world.after(latency) { [self] in
            if life.isDead { return receive(operation, .unknown) }
            world.after(0, life.process) { [self] in
                if life.isDead { return receive(operation, .unknown) }
                life.submit(operation, command, cluster.history) { [self] result in
                    world.after(latency) { [self] in receive(operation, result) }
                }
            }
        }
    }

    private var latency: Microseconds { world.random.within(50...2000) }

    private func receive(_ operation: Operation, _ result: Operation.Result) {
        cluster.history.end(operation.version, result)
        let isAwaited = pending?.version == operation.version
        if isAwaited { pending = nil }
        switch (operation.kind, result) {
        case (.register, .kept):
            if isAwaited { isRegistered = isWanted }
            // It may be a new instance, or at another place, of which nothing is known.
            reporting.known = nil
        case (.patch, .refused):
            if isAwaited { isRegistered = false }
        case (.deregister, .kept):
            if isAwaited { isToBeTakenOut = false }
        case (.deregister, .refused):
            // This node may not have heard of the instance yet. An instance with a ttl ends without heartbeats.
            refusals += 1
            if isAwaited, ttl > 0 || refusals > 4 { isToBeTakenOut = false }
            moveHome()
        case (_, .unknown):
            moveHome()
        case (.register, .refused), (.patch, .kept): break
        }
    }

    /// Reports a result of a check.
    private func report() {
        if let since = reporting.pendingSince {
            if since + .seconds(8) < world.now { reporting.pendingSince = nil }
            return
        }
        if !isSettled, reports, world.random.once(in: 8) {
            reporting.status = CheckStatus.allCases[world.random.below(3)]
        }
        if reports, reporting.isDue(world.now) { return report(ReportingClient.beat, reporting.status) }
        // Somebody has seen that a check will fail, or is wrong about it.
        if !isSettled, checks.contains(where: { $0.ttl == nil }), world.random.once(in: 10) {
            report(ReportingClient.web, CheckStatus.allCases[world.random.below(3)])
        }
    }

    private func report(_ check: String, _ status: CheckStatus) {
        guard cluster.nodes[home].isServing, let life = cluster.nodes[home].life else { return moveHome() }
        reporting.pendingSince = world.now
        reporting.count += 1
        let count = reporting.count
        world.after(latency) { [self] in
            world.after(0, life.process) { [self] in
                if life.isDead { return receive(count, check, status, .unknown) }
                life.report(id, check, status) { [self] result in
                    world.after(latency) { [self] in receive(count, check, status, result) }
                }
            }
        }
    }

    private func receive(_ count: Int, _ check: String, _ status: CheckStatus, _ result: Operation.Result) {
        if count != reporting.count { return }
        reporting.pendingSince = nil
        switch result {
        case .kept:
            if check == ReportingClient.beat { (reporting.known, reporting.lastAnswer) = (status, world.now) }
        case .refused:
            // This node may not have heard of the instance yet.
            if ttl > 0 || mayBeTakenOut, pending == nil { isRegistered = false }
            moveHome()
        case .unknown: moveHome()
        }
    }

    private func beat() {
        guard cluster.nodes[home].isServing, let life = cluster.nodes[home].life else { return moveHome() }
        world.after(latency) { [self] in
            world.after(0, life.process) { [self] in
                if life.isDead { return moveHome() }
                let isKnown = life.hear(id, ttl: ttl)
                if !isKnown, pending == nil { isRegistered = false }
            }
        }
    }
}

extension RegistryCommand {
    fileprivate func withWeight(_ weight: UInt16) -> RegistryCommand {
        switch self {
        case .register(var registration):
            registration.weight = weight
            return .register(registration)
        case .patch(let id, var patch):
            patch.weight = weight
            return .patch(id: id, patch)
        case .restore(var instance):
            instance.weight = weight
            return .restore(instance)
        case .deregister, .report, .expel, .setPolicy, .release: return self
        }
    }
}
