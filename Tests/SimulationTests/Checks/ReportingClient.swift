@testable import ControlPlane

/// The part of a client that reports results of its instance's checks.
struct ReportingClient {
    /// The status that it reports for its check of type `ttl`.
    var status = CheckStatus.passing
    /// The status that it was last told is known.
    var known: CheckStatus?
    /// When the report began that is under way.
    var pendingSince: Microseconds?
    /// The number of reports. Only the answer to the last one counts.
    var count = 0
    /// When it last got an answer.
    var lastAnswer: Microseconds = 0

    static let beat = "beat"
    static let web = "web"
    /// How long a report is valid.
    static let ttl = Duration.seconds(20)

    /// Whether it is time to report.
    func isDue(_ now: Microseconds) -> Bool { known != status || lastAnswer + .seconds(8) < now }

    /// The checks of an instance, as the seed decides.
    ///
    /// - Parameter mayBeExpelled: whether the client would notice.
    static func checks(_ world: World, takesReports: Bool, mayBeExpelled: Bool) -> [Check] {
        var checks: [Check] = []
        if world.random.once(in: 2) {
            var check = Check(
                name: web, kind: .http(HTTPCheck()), interval: .seconds(1), timeout: .milliseconds(500),
                rise: 1 + world.random.below(2), fall: 1 + world.random.below(3),
                initial: world.random.once(in: 3) ? .critical : .passing)
            if mayBeExpelled, world.random.once(in: 2) { check.deregisterAfter = .seconds(2 + world.random.below(3)) }
            checks.append(check)
        }
        if takesReports, world.random.once(in: 2) {
            checks.append(Check(name: beat, kind: .ttl(ttl), initial: world.random.once(in: 3) ? .critical : .passing))
        }
        return checks
    }
}
