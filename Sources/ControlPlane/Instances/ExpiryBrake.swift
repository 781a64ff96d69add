/// Decides whether instances of a service that have not been heard from go, or stay for one more ttl. It is pure.
///
/// If most of a service falls silent at once, the reason is more often between it and this server than in its
/// instances. To answer with none of them would make it worse.
struct ExpiryBrake: Sendable, Equatable {
    /// Services with fewer instances are not held.
    static let minimumInstances = 3

    /// Why an instance is held, or no longer is.
    static let reason = ChangeReason.brake("mass_expiry")

    /// The share (0–1) of a service's instances above which they do not expire together; 1: they always do.
    var share = 1.0
    /// Instances that expire within so long expire together.
    var interval = Duration.seconds(1)

    /// Whether it ever holds anything.
    var isOn: Bool { share < 1 }

    /// Whether a service's instances stay.
    ///
    /// - Parameters:
    ///   - silent: how many of them have expired or are about to, including those that are held already.
    ///   - total: how many there are. Draining ones are in neither number: their owner has taken them out.
    func holds(silent: Int, of total: Int) -> Bool {
        isOn && total >= Self.minimumInstances && Double(silent) > share * Double(total)
    }

    /// How long before its deadline an instance counts as about to expire. One with a short ttl may be heard from as
    /// late as halfway.
    func notice(ttlSeconds: Int) -> Duration { min(interval, .seconds(ttlSeconds) / 2) }
}

/// The instances of a service that have expired and that the brake holds.
struct HeldInstances: Sendable, Equatable {
    var count: Int
    /// When the first one was held.
    var since: WallTime
    /// When the last one goes, unless it is heard from.
    var until: WallTime
}

/// An instance whose deadline has come, or is near.
struct LapsingInstance: Sendable, Equatable {
    var id: String
    var service: String
    var deadline: ContinuousClock.Instant
    var ttlSeconds: Int
    /// Whether it can be held: it is in DNS, and was not held since its last heartbeat.
    var canBeHeld: Bool
}

/// A search for expired instances with the brake, in steps of limited length: first it finds all that have expired, or
/// are about to, then it decides for each service, then they go or stay. It is pure.
struct ExpirySearch: Sendable {
    /// When it was due.
    let now: Moment
    private let brake: ExpiryBrake
    private var lapsing: [LapsingInstance] = []
    private var next = 0
    private var silent: [String: Int] = [:]
    private var areAllFound = false

    init(now: Moment, brake: ExpiryBrake) {
        self.now = now
        self.brake = brake
    }

    /// Does the next step.
    ///
    /// - Parameter limit: how many deadlines it looks at.
    mutating func step(_ table: inout InstanceTable, limit: Int) -> ExpiredInstances {
        var expired = ExpiredInstances(instances: [], isComplete: false)
        guard areAllFound else {
            find(&table, limit: limit)
            return expired
        }
        let end = min(next + limit, lapsing.count)
        for instance in lapsing[next..<end] {
            let isHeld = instance.canBeHeld && isHolding(instance.service, table)
            if let gone = table.settle(instance, at: now, isHeld: isHeld) { expired.instances.append(gone) }
        }
        next = end
        expired.isComplete = next == lapsing.count
        return expired
    }

    private mutating func find(_ table: inout InstanceTable, limit: Int) {
        let found = table.takeLapsing(before: now.monotonic + brake.interval, limit: limit)
        for instance in found.instances
        where instance.canBeHeld && instance.deadline < now.monotonic + brake.notice(ttlSeconds: instance.ttlSeconds) {
            silent[instance.service, default: 0] += 1
        }
        lapsing += found.instances
        areAllFound = found.isComplete
        guard areAllFound else { return }
        // Decide for all instances of a service alike, before any of them goes.
        let brake = brake
        silent = silent.filter { service, count in
            brake.holds(silent: count + (table.held[service]?.count ?? 0), of: table.presentCount(ofService: service))
        }
    }

    private func isHolding(_ service: String, _ table: InstanceTable) -> Bool { silent[service] != nil }
}
