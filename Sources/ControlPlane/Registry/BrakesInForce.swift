import Synchronization

/// Something that keeps DNS from being wrongly empty, at present.
struct BrakeInForce: Sendable, Equatable {
    enum Kind: String, CaseIterable, Sendable {
        /// Most instances of a service have expired at once: they stay for one more ttl.
        case massExpiry = "mass_expiry"
        /// Too few instances of a service are healthy: critical ones are answered too.
        case protection = "protect_threshold"
    }

    var kind: Kind
    /// The service.
    var name: String
    var since: WallTime
    /// When it ends at the latest; `nil`: when the reason is gone.
    var until: WallTime?
    /// Why, in one line.
    var reason: String
}

/// All brakes in force, readable on any thread.
final class BrakesInForce: Sendable {
    /// How many a list shows.
    static let maximumListed = 100

    private let brakes = Mutex<[String: [BrakeInForce]]>([:])
    private let counts = Mutex<[BrakeInForce.Kind: Int]>([:])

    /// Whether there are none.
    var isEmpty: Bool { brakes.withLock { $0.isEmpty } }

    /// Those of a service.
    func of(_ name: String) -> [BrakeInForce] { brakes.withLock { $0[name] ?? [] } }

    /// How many of a kind there are. Reading it waits for nobody who goes through all.
    func count(of kind: BrakeInForce.Kind) -> Int { counts.withLock { $0[kind, default: 0] } }

    /// Some of all, the oldest first, and how many there are.
    func list() -> (brakes: [BrakeInForce], count: Int) {
        let all = brakes.withLock { $0.values.flatMap(\.self) }.sorted {
            ($0.since.millisecondsSince1970, $0.name, $0.kind.rawValue)
                < ($1.since.millisecondsSince1970, $1.name, $1.kind.rawValue)
        }
        return (Array(all.prefix(Self.maximumListed)), all.count)
    }

    /// Replaces all of them.
    ///
    /// - Returns: those that have begun and those that have ended, by service.
    func replace(with now: [BrakeInForce]) -> (begun: [BrakeInForce], ended: [BrakeInForce]) {
        counts.withLock { counts in
            counts = [:]
            for brake in now { counts[brake.kind, default: 0] += 1 }
        }
        return brakes.withLock { known in
            if now.isEmpty, known.isEmpty { return ([], []) }
            let before = known
            known = Dictionary(grouping: now, by: \.name)
            func isIn(_ brakes: [String: [BrakeInForce]], _ brake: BrakeInForce) -> Bool {
                brakes[brake.name]?.contains { $0.kind == brake.kind } ?? false
            }
            let after = known
            return (
                now.filter { !isIn(before, $0) }.sorted { $0.name < $1.name },
                before.values.flatMap(\.self).filter { !isIn(after, $0) }.sorted { $0.name < $1.name }
            )
        }
    }
}
