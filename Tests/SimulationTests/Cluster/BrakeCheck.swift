@testable import ControlPlane

/// What a node does with instances that have fallen silent, held against the rules of the brake on mass expiry.
struct BrakeCheck {
    /// The configured share; 1: there is no brake.
    let share: Double
    /// Whether the node alone decides, so that it must decide exactly as configured.
    let isExact: Bool
    /// The instances after the last publication.
    private var before: [String: RegisteredInstance] = [:]
    /// When an instance of a service has gone without a request.
    private var gone: [(service: String, time: Microseconds)] = []
    /// When each instance that is held was first seen to be.
    private(set) var heldSince: [String: Microseconds] = [:]

    init(share: Double, isExact: Bool) {
        self.share = share
        self.isExact = isExact
    }

    /// Instances are shown as they are now.
    ///
    /// - Parameters:
    ///   - heard: when the node has last heard of an instance.
    ///   - hasLeft: whether an instance may have been deregistered.
    mutating func problem(
        _ present: [String: RegisteredInstance], heard: (String) -> Microseconds?, hasLeft: (String) -> Bool,
        _ now: Microseconds
    ) -> String? {
        defer { before = present }
        // A search for expired instances is one step, even if it comes late.
        gone.removeAll { $0.time + .seconds(10) < now }
        var expired: [String: Int] = [:]
        for (id, old) in before where present[id] == nil && (old.instance.isHeld || !hasLeft(id)) {
            gone.append((old.instance.name, now))
            if !old.instance.isHeld, !old.instance.isDraining { expired[old.instance.name, default: 0] += 1 }
        }
        for (service, count) in expired.sorted(by: { $0.key < $1.key }) {
            let total = members(of: service, before).count
            if isExact, total >= ExpiryBrake.minimumInstances, share < 1, Double(count) > share * Double(total) {
                return "\(count) of \(total) instances of \(service) expire at once"
            }
        }
        for id in Set(present.keys).union(heldSince.keys).sorted() {
            guard let registered = present[id], registered.instance.isHeld else {
                heldSince[id] = nil
                continue
            }
            if heldSince[id] != nil { continue }
            heldSince[id] = now
            if let problem = problemOfHolding(registered, present, heard, now) { return problem }
        }
        return nil
    }

    private func members(of service: String, _ instances: [String: RegisteredInstance]) -> [RegisteredInstance] {
        instances.values.filter { $0.instance.name == service && !$0.instance.isDraining }
    }

    private func problemOfHolding(
        _ registered: RegisteredInstance, _ present: [String: RegisteredInstance], _ heard: (String) -> Microseconds?,
        _ now: Microseconds
    ) -> String? {
        let instance = registered.instance
        if share >= 1 { return "\(instance.id) is held, though the brake is off" }
        if let heard = heard(instance.id), now < heard + .seconds(Int64(instance.ttlSeconds)) {
            return "\(instance.id) is held, though it was heard of"
        }
        if registered.status == .passing { return "\(instance.id) is held, and passing" }
        if !isExact { return nil }
        let members = members(of: instance.name, present)
        let silent = members.count { member in
            let late = member.instance.ttlSeconds > 0 ? Int64(member.instance.ttlSeconds) * 500_000 : .max / 2
            return member.instance.isHeld || heard(member.instance.id).map { $0 + late <= now } ?? true
        }
        let leaving = gone.count { $0.service == instance.name }
        let (all, of) = (silent + leaving, members.count + leaving)
        if of < ExpiryBrake.minimumInstances || Double(all) <= share * Double(of) {
            return "\(instance.id) is held, though only \(all) of \(of) instances are silent"
        }
        return nil
    }
}
