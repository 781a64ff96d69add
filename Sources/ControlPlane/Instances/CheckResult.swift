/// The result of a check that changed its status, with what the check has said last when that was stored.
///
/// It is stored with the instance, so that other nodes know it, and a restart brings no dead instance back.
struct CheckResult: Sendable, Equatable {
    /// The longest output, in octets.
    static let maximumOutputOctets = 512

    /// The check's name.
    var name: String
    var status: CheckStatus
    /// Since when it has had this status.
    var since: WallTime
    /// What the check found, for people: at most ``maximumOutputOctets`` printable octets.
    var output = ""
    /// How long it took; `nil`: it was reported, or has not run yet.
    var durationMilliseconds: Int?
    /// When it was found; `nil`: it is the status that the check began with.
    var checkedAt: WallTime?
}

extension CheckResult {
    /// Whether it was found later than `other`.
    func isNewer(than other: CheckResult) -> Bool {
        guard let checkedAt else { return false }
        return other.checkedAt.map { $0.millisecondsSince1970 < checkedAt.millisecondsSince1970 } ?? true
    }

    /// A text as an output: control characters become spaces, and it ends after ``maximumOutputOctets``.
    static func printable(_ text: String) -> String {
        var output = ""
        var octets = 0
        for scalar in text.unicodeScalars {
            let isControl = scalar.properties.generalCategory == .control
            octets += isControl ? 1 : UTF8.width(scalar)
            if octets > maximumOutputOctets { break }
            output.unicodeScalars.append(isControl ? " " : scalar)
        }
        return output
    }
}

/// A result on its way to the registry.
struct CheckReport: Sendable, Equatable {
    /// Where it comes from.
    enum Origin: Sendable {
        /// The check was run by this server, and has changed its status by it.
        case checker
        /// A client has sent it.
        case client
    }

    /// The check's name.
    var name: String
    var status: CheckStatus
    /// For people; at most ``CheckResult/maximumOutputOctets`` printable octets.
    var output = ""
    var durationMilliseconds: Int?
    /// When it was found.
    var time: WallTime
    var origin = Origin.checker
}

/// Knows what checks have found last, though that has changed no status.
protocol CheckObserver: Sendable {
    /// The last results of those checks of an instance that this server runs.
    func observations(ofInstance id: String) -> [CheckResult]
}

extension ServiceInstance {
    /// What is known of a check: its last stored result, or the status that it begins with.
    func result(of check: Check) -> CheckResult {
        results.first { $0.name == check.name }
            ?? CheckResult(name: check.name, status: check.initial, since: registeredAt)
    }

    /// The worst status of its checks; `passing` if it has none.
    var checkStatus: CheckStatus { checkStatus(besides: []) }

    /// The worst status of its checks, some of which have newer results than the stored ones.
    func checkStatus(besides newer: [CheckResult]) -> CheckStatus {
        var worst = CheckStatus.passing
        for check in checks {
            let result = newer.first { $0.name == check.name } ?? result(of: check)
            worst = max(worst, result.status)
        }
        return worst
    }

    /// Takes over the results of the instance that it replaces: of those checks that have stayed as they were, as long
    /// as they look at the same place.
    mutating func keepResults(of known: ServiceInstance) {
        guard address == known.address, port == known.port else { return }
        results = known.results.filter { result in
            guard let check = checks.first(where: { $0.name == result.name }) else { return false }
            return known.checks.contains(check)
        }
    }

    /// Takes in a result.
    ///
    /// - Returns: whether that is worth storing: the status is another one. `nil`: it has no such check.
    mutating func adopt(_ report: CheckReport) -> Bool? {
        guard let check = checks.first(where: { $0.name == report.name }) else { return nil }
        let known = result(of: check)
        let isChange = known.status != report.status
        let result = CheckResult(
            name: report.name, status: report.status, since: isChange ? report.time : known.since,
            output: report.output, durationMilliseconds: report.durationMilliseconds, checkedAt: report.time)
        if let place = results.firstIndex(where: { $0.name == report.name }) {
            results[place] = result
        } else {
            results.append(result)
        }
        return isChange
    }
}
