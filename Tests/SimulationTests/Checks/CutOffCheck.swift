import Engine

@testable import ControlPlane

/// Holds what a node's checker does while it reaches no targets against what it may do: few of those that were well
/// may become critical before it takes itself for cut off.
///
/// Each address has one check that is run.
struct CutOffCheck {
    /// Less than the product's, since clusters here are small.
    static let minimum = CutOffDetector.Minimum(targets: 3, addresses: 2)

    private let share: Double
    /// The instances that have a check that is run.
    private var targets: Set<String> = []
    /// Whether the check at each address passes by its own runs.
    private var isWell: [IPAddress: Bool] = [:]
    /// The addresses that were well when the node was cut off, with those among them that have become critical;
    /// `nil`: it is not cut off, or other instances are its own since.
    private var episode: (well: Set<IPAddress>, critical: Set<IPAddress>)?
    private var isCutOff = false

    /// - Parameter share: `heartbeat.mass_expiry_brake`.
    init(share: Double) { self.share = share }

    /// Other instances are checked from now on, so that nothing is known of what is counted.
    mutating func noteAssignment(of id: String, isRun: Bool) {
        if isRun { targets.insert(id) } else { targets.remove(id) }
        episode = nil
        isWell = [:]
    }

    /// The process did not run for a while. Failures of the runs that were under way don't count, so the targets fail
    /// over more than one interval.
    mutating func notePause() { episode = nil }

    /// Looks at the result of a run.
    ///
    /// - Returns: why the instance must not have become critical.
    mutating func problem(
        _ address: IPAddress, isWell: Bool, isCriticalNow: Bool, isCutOff: Bool, isHolding: Bool
    ) -> String? {
        if isCutOff, !self.isCutOff {
            let well = Set(self.isWell.filter(\.value).keys)
            // Each has run since the last assignment: the checker counts those that have passed before it, too.
            let isKnown = well.count >= Self.minimum.targets && well.count == targets.count
            episode = isKnown ? (well, []) : nil
        }
        self.isCutOff = isCutOff
        if !isCutOff { episode = nil }
        self.isWell[address] = isWell
        guard isCriticalNow else { return nil }
        if isHolding { return "\(address) is critical, though the checker takes itself for cut off" }
        guard var episode, episode.well.contains(address) else { return nil }
        episode.critical.insert(address)
        self.episode = episode
        let (count, limit) = (episode.critical.count, Int(share * Double(episode.well.count)))
        return count > limit ? "\(count) of \(episode.well.count) are critical, since the node was cut off" : nil
    }
}
