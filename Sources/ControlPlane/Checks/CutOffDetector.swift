import Engine

/// Notices when so many targets fail at once that the checker itself must be cut off. Pure.
///
/// It counts the targets that passed, and those among them whose last run failed. A hold begins when too large a share
/// of them fails. It ends when fewer fail, or after ``limit``. If it has ended by that limit, the next hold can begin
/// only after fewer have failed.
struct CutOffDetector: Sendable {
    /// What counts of a target.
    enum Standing: Sendable {
        /// It did not pass before, or was critical before its last run.
        case uncounted
        /// It passed, and its last run did too.
        case passing
        /// It passed, and its last run failed.
        case failing
    }

    /// A hold that has begun or ended.
    enum Change: Sendable, Equatable {
        /// So many of so many targets fail.
        case began(failing: Int, targets: Int)
        /// They are fewer now.
        case recovered
        /// The time is over.
        case timedOut
    }

    /// How long a hold lasts at most.
    static let limit = Duration.seconds(120)

    /// Fewer may well fail together, each for a reason of its own.
    struct Minimum: Sendable {
        var targets = 10
        var addresses = 3
    }

    private let minimum: Minimum
    /// `heartbeat.mass_expiry_brake`: the share (0–1) above which a hold begins; 1: never.
    var share: Double
    /// When the hold began; `nil`: there is none.
    private(set) var heldSince: ContinuousClock.Instant?
    /// Whether a hold may begin.
    private var isArmed = true
    private var targets = 0
    private var failing = 0
    /// The number of counted targets at each address.
    private var addresses: [IPAddress: Int] = [:]

    init(share: Double, minimum: Minimum = Minimum()) {
        self.share = share
        self.minimum = minimum
    }

    /// Whether statuses stay as they are.
    var isHolding: Bool { heldSince != nil }

    /// When the hold ends at the latest.
    var deadline: ContinuousClock.Instant? { heldSince?.advanced(by: Self.limit) }

    /// Notes that the standing of a target at an address has changed.
    mutating func move(_ address: IPAddress, from old: Standing, to new: Standing) {
        if old == new { return }
        failing += (new == .failing ? 1 : 0) - (old == .failing ? 1 : 0)
        let change = (new == .uncounted ? 0 : 1) - (old == .uncounted ? 0 : 1)
        targets += change
        let count = (addresses[address] ?? 0) + change
        addresses[address] = count > 0 ? count : nil
    }

    /// Begins or ends a hold.
    mutating func evaluate(now: ContinuousClock.Instant) -> Change? {
        let isMany =
            targets >= minimum.targets && addresses.count >= minimum.addresses
            && Double(failing) > share * Double(targets)
        if !isMany {
            isArmed = true
            guard heldSince != nil else { return nil }
            heldSince = nil
            return .recovered
        }
        if let deadline {
            guard deadline <= now else { return nil }
            (heldSince, isArmed) = (nil, false)
            return .timedOut
        }
        guard isArmed else { return nil }
        heldSince = now
        return .began(failing: failing, targets: targets)
    }
}
