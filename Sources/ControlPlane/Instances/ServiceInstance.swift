import Engine

/// One instance of a service as it was registered, with its defaults filled in.
///
/// What moves with each heartbeat is its ``Lease``, and how it is its ``InstanceHealth``; this is what a store keeps
/// durably.
struct ServiceInstance: Sendable, Equatable {
    /// 1–128 of `A-Za-z0-9._-`.
    var id: String
    /// The service: one DNS label in lower case.
    var name: String
    /// Where it listens.
    var address: IPAddress
    /// The port it listens on; 1–65535.
    var port: UInt16
    /// The transport it speaks.
    var transport: TransportProtocol
    /// Labels in lower case, each once, in the order given.
    var tags: [String]
    /// Free text of the owner, in the order given.
    var metadata: [MetadataEntry]
    /// Its share within its priority group; 0–65535.
    var weight: UInt16
    /// Its priority group, the lowest is the best; 0–65535.
    var priority: UInt16
    /// Seconds that it lives without a heartbeat; 0 = for ever.
    var ttlSeconds: Int
    /// The TTL in seconds of its records; 1–86,400.
    var dnsTTL: UInt32
    /// Whether its owner has taken it out of DNS.
    var isDraining = false
    /// Where its id comes from.
    var idOrigin = IdentifierOrigin.given
    /// When it was registered first.
    var registeredAt: WallTime
    /// Its place in every order: a number given at the first registration, never used again.
    var sequence: UInt64

    /// Whether the same records are made of `other`, as long as DNS answers with them.
    func hasSameRecords(as other: ServiceInstance) -> Bool {
        name == other.name && address == other.address && port == other.port && transport == other.transport
            && weight == other.weight && priority == other.priority && dnsTTL == other.dnsTTL
            && sequence == other.sequence && tags == other.tags
    }
}

/// Where the id of an instance comes from.
enum IdentifierOrigin: String, CaseIterable, Sendable {
    /// Its owner's registration: nobody who registers the same endpoint without an id is meant.
    case given
    /// It was registered without one, and follows from what makes an instance.
    case derived
    /// It was registered without one, and the one that follows was another instance's: a random one.
    case substitute
}

/// One key of an instance's metadata.
struct MetadataEntry: Sendable, Equatable {
    var key: String
    var value: String
}

/// `protocol` in the API and `_tcp`/`_udp` in DNS.
enum TransportProtocol: String, CaseIterable, Sendable {
    case tcp
    case udp
}

/// `status` in the API.
enum InstanceStatus: String, CaseIterable, Sendable {
    /// Healthy.
    case passing
    /// Healthy as far as is known.
    case warning
    /// Its check fails.
    case critical
    /// Taken out of DNS by its owner.
    case draining
}

/// How long an instance lives if nothing more is heard from it.
struct Lease: Sendable, Equatable {
    /// When it was heard from last.
    var lastHeartbeat: WallTime
    /// When it expires; `nil`: never.
    var deadline: ContinuousClock.Instant?
    /// The deadline for people's eyes; `nil`: never.
    var expiresAt: WallTime?

    /// A lease of `ttlSeconds` from `now`; 0 = for ever.
    init(ttlSeconds: Int, now: Moment) {
        lastHeartbeat = now.wall
        guard ttlSeconds > 0 else { return }
        deadline = now.monotonic.advanced(by: .seconds(ttlSeconds))
        expiresAt = now.wall.advanced(bySeconds: ttlSeconds)
    }

    /// The lease of an instance whose heartbeats go to another node, which knows when it expires.
    init(heardElsewhereWithTTLSeconds ttlSeconds: Int, now: Moment) {
        self.init(ttlSeconds: ttlSeconds, now: now)
        deadline = nil
    }

    /// Makes it longer for a pause: see ``InstanceTable/extendLeases(for:after:limit:)``.
    mutating func extend(for sweep: Sweep, ttlSeconds: Int) {
        guard let old = deadline else { return }
        let whole = Lease(ttlSeconds: ttlSeconds, now: sweep.now)
        // One that was made longer before does not end a ttl after the last heartbeat.
        let isHeardOf = expiresAt == lastHeartbeat.advanced(bySeconds: ttlSeconds)
        let credited = isHeardOf ? whole.deadline ?? old : min(old + sweep.pause, whole.deadline ?? old)
        guard credited > old else { return }
        deadline = credited
        let left = sweep.now.monotonic.duration(to: credited)
        expiresAt = sweep.now.wall.advanced(byMilliseconds: left.milliseconds)
    }
}

/// An instance, its lease and its health: all there is to know about it at one moment.
struct RegisteredInstance: Sendable, Equatable {
    var instance: ServiceInstance
    var lease: Lease
    var health = InstanceHealth()
}
