@testable import ControlPlane

/// One node's way to etcd, with everything that happens on it. It asks one member after the other, as ``EtcdClient``
/// does.
final class SimulatedGateway: EtcdGateway, @unchecked Sendable {
    /// A call that waits for its answer.
    private final class Call: @unchecked Sendable {
        private var continuation: CheckedContinuation<Result<[UInt8], EtcdError>, Never>?

        func begin(_ continuation: CheckedContinuation<Result<[UInt8], EtcdError>, Never>) {
            self.continuation = continuation
        }

        func finish(_ result: Result<[UInt8], EtcdError>) {
            continuation.take()?.resume(returning: result)
        }
    }

    let process: SimulatedProcess
    let etcd: SimulatedEtcd
    private let weather: Weather
    private let sabotage: Sabotage?
    private let node: Int
    private var current: Int
    private var calls: [Call] = []
    private var watches: [WatchConnection] = []
    /// The time until which its node may miss instances that are alive. etcd has forgotten what happened, and nobody
    /// can tell whether it was a deregistration, and of which instance.
    private var gapEnd: Microseconds = 0
    /// Whether its process is dead, so that nothing it does has an effect.
    private var isSevered = false
    let timeout = Duration.seconds(5)

    init(_ process: SimulatedProcess, _ etcd: SimulatedEtcd, _ weather: Weather, node: Int, _ sabotage: Sabotage?) {
        self.process = process
        self.etcd = etcd
        self.weather = weather
        self.node = node
        self.sabotage = sabotage
        current = node % SimulatedEtcd.memberCount
    }

    var endpoint: String { "member \(current)" }

    private var world: World { process.world }

    func distrustConnections() {}

    func shutdown() { sever() }

    /// Ends all calls. None has an effect any more.
    func sever() {
        isSevered = true
        if gapEnd == .max { endGap(asOf: 0) }
        for call in calls { call.finish(.failure(Self.lost)) }
        for watch in watches { watch.end(Self.lost) }
        (calls, watches) = ([], [])
    }

    private static let lost = EtcdError(kind: .unavailable, reason: "no answer")

    // MARK: Calls

    nonisolated(nonsending) func answer(
        _ path: String, _ body: [UInt8], within limit: Duration
    ) async throws(EtcdError) -> [UInt8] {
        if let answer = fakeAnswer(path, body) { return answer }
        let deadline = world.now + Microseconds(min(limit, timeout))
        let attempts: Int64 = 4
        var last = Self.lost
        for attempt in 0..<attempts {
            let left = deadline - world.now
            guard left > 0, !Task.isCancelled, !isSevered else { break }
            let member = current
            let share = max(left / (attempts - attempt), .milliseconds(100))
            switch await ask(member, path, body, within: share) {
            case .success(let answer): return answer
            case .failure(let error):
                if error.kind != .unavailable { throw error }
                last = error
                if current == member { current = (member + 1) % SimulatedEtcd.memberCount }
            }
        }
        throw last
    }

    private nonisolated(nonsending) func ask(
        _ member: Int, _ path: String, _ body: [UInt8], within limit: Microseconds
    ) async -> Result<[UInt8], EtcdError> {
        let call = Call()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                call.begin(continuation)
                if isSevered || Task.isCancelled { return call.finish(.failure(Self.lost)) }
                calls.append(call)
                world.after(limit, process) { [self] in
                    call.finish(.failure(Self.lost))
                    calls.removeAll { $0 === call }
                }
                send(member, path, body, call)
            }
        } onCancel: {
            call.finish(.failure(Self.lost))
        }
    }

    private func send(_ member: Int, _ path: String, _ body: [UInt8], _ call: Call) {
        for _ in 0..<(weather.doubles() ? 2 : 1) {
            guard let delay = weather.delay(from: node) else { continue }
            world.after(delay) { [self] in
                etcd.arrive(at: member) { [self] isTooLate in
                    let skipped = sabotage?.skippedConditions ?? .none
                    etcd.caller = node
                    defer { etcd.caller = nil }
                    let result =
                        isTooLate ? .failure(Self.lost) : etcd.perform(path, body, skipping: skipped)
                    guard let delay = weather.delay(from: node) else { return }
                    world.after(delay, process) { call.finish(result) }
                }
            }
        }
    }

    /// The answer that a fault put in on purpose gives by itself.
    private func fakeAnswer(_ path: String, _ body: [UInt8]) -> [UInt8]? {
        switch (sabotage, path) {
        case (.leasesAreNotRenewed, "lease/keepalive"):
            let lines = body.split(separator: UInt8(ascii: "}")).map { line in
                let lease = GatewayRequest(line + [UInt8(ascii: "}")])["ID"].number
                return #"{"result":{\#(etcd.header),"ID":"\#(lease)","TTL":"9"}}"#
            }
            return Array(lines.joined(separator: "\n").utf8)
        default: return nil
        }
    }

    // MARK: Watches

    nonisolated(nonsending) func stream(
        _ path: String, _ body: [UInt8], onOctets: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(EtcdError) {
        let from = GatewayRequest(body)["create_request"]["start_revision"].number
        let member = current
        let holder = Holder()
        let error = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<EtcdError?, Never>) in
                let watch = WatchConnection(self, member: member, from: from, onOctets: onOctets, continuation)
                holder.watch = watch
                if isSevered || Task.isCancelled { return watch.end(Self.lost) }
                watches.append(watch)
                guard let delay = weather.delay(from: node) else { return }
                world.after(delay) { [self] in
                    etcd.arrive(at: member) { [self] isTooLate in
                        if isTooLate || isSevered { return }
                        etcd.watches.append(watch)
                        watch.create()
                    }
                }
            }
        } onCancel: {
            holder.watch?.end(Self.lost)
        }
        watches.removeAll { $0 === holder.watch }
        if let error { throw error }
    }

    private final class Holder: @unchecked Sendable {
        var watch: WatchConnection?
    }

    /// When something arrives that is sent to this node now and is not lost.
    func arrival() -> Microseconds { world.now + weather.latency(to: node) }

    /// The next events that it should be told of are gone, so it reads everything again.
    func beginGap() {
        if gapEnd == .max { return }
        gapEnd = .max
        etcd.beginGap()
    }

    /// It has read everything, if it had to.
    ///
    /// - Parameter revision: as of which.
    func endGap(asOf revision: Int64) {
        guard gapEnd == .max else { return }
        gapEnd = world.now + .seconds(2)
        etcd.endGap(asOf: revision)
    }

    var isInGap: Bool { world.now < gapEnd }

    /// Whether the node is not told of something, because of a fault put in on purpose.
    func skips(_ events: [SimulatedEtcd.Event]) -> Bool {
        switch sabotage {
        case .watchSkipsAnEvent: world.random.once(in: 30)
        case .watchSkipsPolicies: events.contains { $0.key.contains("/policies/") } && world.random.once(in: 3)
        default: false
        }
    }

    /// Connections break: some at once, and some without anybody noticing.
    func breakWatches() {
        for watch in watches {
            if world.random.once(in: 2) {
                watch.leadsNowhere = true
            } else {
                world.after(1, process) { watch.end(Self.lost) }
            }
        }
    }
}

extension SimulatedEtcd {
    /// The prefix of all keys of this project.
    static let prefix = "/kong-discovery/v1/"
}
