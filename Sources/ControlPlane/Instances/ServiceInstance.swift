import Engine

/// One instance of a service as registered, with defaults filled in, and what its owner and its checks have said since.
///
/// This is what a store keeps durably. Each heartbeat moves the instance's ``Lease``; that, and ``InstanceHealth``, are
/// not part of it.
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
    /// Free text from the owner, in the order given.
    var metadata: [MetadataEntry]
    /// Its share within its priority group; 0–65535.
    var weight: UInt16
    /// Its priority group; the lowest is the best; 0–65535.
    var priority: UInt16
    /// How long it lives without a heartbeat, in seconds; 0 = for ever.
    var ttlSeconds: Int
    /// The TTL in seconds of its records; 1–86,400.
    var dnsTTL: UInt32
    /// Whether that TTL is the server's, because none was given: its service's policy may have another.
    var hasDefaultDNSTTL = false
    /// How it is checked.
    var checks: [Check] = []
    /// What its checks have found, as far as that is stored; at most one result for each.
    var results: [CheckRecord] = []
    /// Whether its owner has taken it out of DNS.
    var isDraining = false
    /// Whether it has expired, and is held by the ``ExpiryBrake`` until it is heard from or a ttl is over.
    var isHeld = false
    /// The origin of its id.
    var idOrigin = IdentifierOrigin.given
    /// When it was first registered.
    var registeredAt: WallTime
    /// Its place in every order: a number given at the first registration and never reused.
    var sequence: UInt64

    /// Whether `other` has the same records, as long as DNS answers with them.
    func hasSameRecords(as other: ServiceInstance) -> Bool {
        name == other.name && address == other.address && port == other.port && transport == other.transport
            && weight == other.weight && priority == other.priority && dnsTTL == other.dnsTTL
            && hasDefaultDNSTTL == other.hasDefaultDNSTTL
            && sequence == other.sequence && tags == other.tags
    }
}

/// The origin of an instance's id.
enum IdentifierOrigin: String, CaseIterable, Sendable {
    /// Its owner gave it; a registration of the same endpoint without an id means another instance.
    case given
    /// It was registered without an id; the id is derived from its endpoint.
    case derived
    /// It was registered without an id, but the derived one belonged to another instance; the id is random.
    case substitute
}

/// One entry of an instance's metadata.
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
    /// Healthy, with a warning.
    case warning
    /// Its check fails.
    case critical
    /// Taken out of DNS by its owner.
    case draining
}

/// How long an instance lives if no more heartbeats arrive.
struct Lease: Sendable, Equatable {
    /// When its last heartbeat arrived.
    var lastHeartbeat: WallTime
    /// When it expires; `nil`: never.
    var deadline: ContinuousClock.Instant?
    /// The deadline as a time of day, for people; `nil`: never.
    var expiresAt: WallTime?

    /// A lease of `ttlSeconds` from `now`; 0 = for ever.
    init(ttlSeconds: Int, now: Moment) {
        lastHeartbeat = now.wall
        guard ttlSeconds > 0 else { return }
        deadline = now.monotonic.advanced(by: .seconds(ttlSeconds))
        expiresAt = now.wall.advanced(bySeconds: ttlSeconds)
    }

    /// The lease of an instance whose heartbeats go to another node; that node decides when it expires.
    init(heardElsewhereWithTTLSeconds ttlSeconds: Int, now: Moment) {
        self.init(ttlSeconds: ttlSeconds, now: now)
        deadline = nil
    }

    /// The lease of a registration, with heartbeats that were heard after the time from which the registration counts.
    ///
    /// - Parameters:
    ///   - known: the lease so far.
    ///   - ttls: how long the instance lived without a heartbeat so far, and lives now, in seconds.
    func counting(_ known: Lease, ttls: (old: Int, new: Int)) -> Lease {
        guard ttls.old > 0, let knownDeadline = known.deadline, let deadline else { return self }
        let heardLater = deadline.advanced(by: .seconds(-ttls.new))
            .duration(to: knownDeadline.advanced(by: .seconds(-ttls.old)))
        guard heardLater > .zero else { return self }
        var lease = self
        lease.lastHeartbeat = known.lastHeartbeat
        lease.deadline = deadline.advanced(by: heardLater)
        lease.expiresAt = known.lastHeartbeat.advanced(bySeconds: ttls.new)
        return lease
    }

    /// Gives an instance that has expired one more ttl, in which it may be heard from.
    mutating func hold(ttlSeconds: Int, now: Moment) {
        let whole = Lease(ttlSeconds: ttlSeconds, now: now)
        (deadline, expiresAt) = (whole.deadline, whole.expiresAt)
    }

    /// Extends it for a pause: see ``InstanceTable/extendLeases(for:after:limit:)``.
    mutating func extend(for sweep: Sweep, ttlSeconds: Int) {
        guard let old = deadline else { return }
        let whole = Lease(ttlSeconds: ttlSeconds, now: sweep.now)
        // A lease that was extended before does not end one ttl after the last heartbeat.
        let isHeardOf = expiresAt == lastHeartbeat.advanced(bySeconds: ttlSeconds)
        let credited = isHeardOf ? whole.deadline ?? old : min(old + sweep.pause, whole.deadline ?? old)
        guard credited > old else { return }
        deadline = credited
        let left = sweep.now.monotonic.duration(to: credited)
        expiresAt = sweep.now.wall.advanced(byMilliseconds: left.milliseconds)
    }
}

/// An instance with its lease and health: everything known about it at one moment.
struct RegisteredInstance: Sendable, Equatable {
    /// A change holds two, and goes through many hands.
    @Shared var instance: ServiceInstance
    var lease: Lease
    var health = InstanceHealth()
}
