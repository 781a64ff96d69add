import Engine

@testable import ControlPlane

/// Names whose last healthy instance has gone: each has to be a failure for the time that is configured, no longer and
/// no shorter, and without that no name is one.
struct GraceCheck {
    /// How long.
    let duration: Microseconds
    /// How much longer it may be, for the committer has something else to do.
    let lateness: Microseconds
    /// Until when each name is a failure.
    private var ends: [String: Microseconds] = [:]

    init(_ duration: Microseconds, lateness: Microseconds) {
        self.duration = duration
        self.lateness = lateness
    }

    /// Whether a name may be a failure, whatever instances there are that are not healthy.
    func mayBeFailure(_ name: String, _ now: Microseconds) -> Bool {
        ends[name].map { now <= $0 + lateness } ?? false
    }

    /// When the time of a name is over; `nil`: it has none.
    func end(of name: String) -> Microseconds? { ends[name] }

    /// A name answers something else.
    ///
    /// - Returns: why it must not; `nil`: it has to.
    mutating func problem(
        _ name: String, from old: NameContent, to new: NameContent, _ now: Microseconds
    ) -> String? {
        if new.isAnswered {
            ends[name] = nil
            return nil
        }
        if old.isAnswered, duration > 0 { ends[name] = now + duration }
        let end = ends[name]
        if new == .failure {
            if end == nil { return "\(name) is a failure, though it has lost no healthy instance" }
            return mayBeFailure(name, now) ? nil : "\(name) is a failure for too long"
        }
        if let end, now < end { return "\(name) is no failure for \((end - now) / 1000) ms that are left" }
        ends[name] = nil
        return nil
    }
}
