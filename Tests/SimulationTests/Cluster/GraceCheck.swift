import Engine

@testable import ControlPlane

/// Names whose last healthy instance has gone. Each must be a failure for the configured time, no longer and no
/// shorter. For any other reason no name may be one.
struct GraceCheck {
    /// The configured time.
    let duration: Microseconds
    /// How much longer it may last while the committer is busy.
    let lateness: Microseconds
    /// The time until which each name is a failure.
    private var ends: [String: Microseconds] = [:]

    init(_ duration: Microseconds, lateness: Microseconds) {
        self.duration = duration
        self.lateness = lateness
    }

    /// Whether a name may be a failure, whatever unhealthy instances there are.
    func mayBeFailure(_ name: String, _ now: Microseconds) -> Bool {
        ends[name].map { now <= $0 + lateness } ?? false
    }

    /// When the grace time of a name ends; `nil` if it has none.
    func end(of name: String) -> Microseconds? { ends[name] }

    /// A name's content changes.
    ///
    /// - Returns: why that is wrong; `nil` if it is right.
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
