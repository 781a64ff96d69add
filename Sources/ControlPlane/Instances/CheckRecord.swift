/// What is known of a check: its status, with what it said when that was stored.
///
/// It is stored with the instance, so that other nodes know it, and a restart brings no dead instance back.
struct CheckRecord: Sendable, Equatable {
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

extension CheckRecord {
    /// Whether it was found later than `other`.
    func isNewer(than other: CheckRecord) -> Bool {
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
    /// For people; at most ``CheckRecord/maximumOutputOctets`` printable octets.
    var output = ""
    var durationMilliseconds: Int?
    /// When it was found.
    var time: WallTime
    var origin = Origin.checker

    /// Why an instance changes by it, as the journal tells it.
    var reason: ChangeReason { .check(name) }
}

/// The checks of this server in numbers.
struct CheckSummary: Sendable, Equatable {
    /// Instances that have checks, and how many of them are checked by this node.
    var instances = 0
    var instancesHere = 0
    /// The nodes that share the work.
    var nodes = 1
    /// Checks done by this node.
    var checks = 0
    /// Runs under way.
    var running = 0
    /// Runs since the start.
    var succeeded = 0
    var failed = 0
    /// The same by type and result, and how long they took.
    var runs = Check.Runs()
    /// Whether so many fail that the checker takes itself for cut off, and statuses stay as they are.
    var isCutOff = false
}

/// Knows what checks have found last, though that has changed no status.
protocol CheckObserver: Sendable {
    /// The last results of those checks of an instance that this server runs.
    func observations(ofInstance id: String) -> [CheckRecord]

    /// The checks in numbers.
    var summary: CheckSummary { get }

    /// Notes a result that a client has reported, though it has changed nothing: a check of type `ttl` is alive.
    func note(_ report: CheckReport, ofInstance id: String)
}

extension ServiceInstance {
    /// What is known of a check: its last stored result, or the status that it begins with.
    func result(of check: Check) -> CheckRecord {
        results.first { $0.name == check.name }
            ?? CheckRecord(name: check.name, status: check.initial, since: registeredAt)
    }

    /// Whether both are checked in the same way, at the same place.
    func hasSameChecks(as other: ServiceInstance) -> Bool {
        checks == other.checks && address == other.address && port == other.port
    }

    /// The worst status of its checks; `passing` if it has none.
    var checkStatus: CheckStatus { checkStatus(besides: []) }

    /// The worst status of its checks, some of which have newer results than the stored ones.
    func checkStatus(besides newer: [CheckRecord]) -> CheckStatus {
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
        results = known.results.filter { keepsCheck($0.name, of: known) }
    }

    /// Whether a check of the instance that it replaces has stayed as it was, and looks at the same place.
    func keepsCheck(_ name: String, of known: ServiceInstance) -> Bool {
        guard address == known.address, port == known.port, let check = checks.first(where: { $0.name == name }) else {
            return false
        }
        return known.checks.contains(check)
    }

    /// Takes in what was held because it could not be stored.
    ///
    /// - Returns: whether it is newer than what is stored.
    mutating func adopt(_ held: CheckRecord) -> Bool {
        guard let check = checks.first(where: { $0.name == held.name }), held.isNewer(than: result(of: check)) else {
            return false
        }
        replaceResult(with: held)
        return true
    }

    private mutating func replaceResult(with record: CheckRecord) {
        if let place = results.firstIndex(where: { $0.name == record.name }) {
            results[place] = record
        } else {
            results.append(record)
        }
    }

    /// Takes in a result.
    ///
    /// - Parameter now: see ``CheckRecord/adopting(_:now:)``.
    /// - Returns: what became of it.
    mutating func adopt(_ report: CheckReport, now: WallTime = .last) -> ReportEffect {
        guard let check = checks.first(where: { $0.name == report.name }) else { return .unknownCheck }
        let known = result(of: check)
        guard let record = known.adopting(report, now: now) else { return .outdated }
        replaceResult(with: record)
        return known.status == record.status ? .sameStatus : .newStatus
    }
}

extension ServiceInstance {
    /// Whether a third of the time is over within which a check of type `ttl` must be reported, since the last stored
    /// report.
    func isReportDue(_ report: CheckReport) -> Bool {
        guard let check = checks.first(where: { $0.name == report.name }), case .ttl(let ttl) = check.kind else {
            return false
        }
        guard let last = result(of: check).checkedAt else { return true }
        let age = report.time.millisecondsSince1970.subtractingReportingOverflow(last.millisecondsSince1970)
        // One from the future comes from another clock, or from before this one was put back: its age is unknown.
        return age.overflow || age.partialValue < 0 || age.partialValue >= ttl.milliseconds / 3
    }
}

/// What a result does to an instance.
enum ReportEffect: Sendable {
    case newStatus
    case sameStatus
    /// Something newer is known.
    case outdated
    /// The instance has no such check.
    case unknownCheck
}

extension CheckRecord {
    /// What is known after a result; `nil`: it is older than what is known. Another node may have run the check in the
    /// meantime.
    ///
    /// - Parameter now: the time here. What is known from later than that comes from another clock, or from before this
    ///   one was put back: then the time says nothing, and the result counts.
    func adopting(_ report: CheckReport, now: WallTime) -> CheckRecord? {
        var time = report.time.millisecondsSince1970
        if let known = checkedAt?.millisecondsSince1970, time <= known {
            if time < known, known <= now.millisecondsSince1970, report.origin == .checker { return nil }
            // Whatever the clocks say, it is newer than what it replaces.
            time = known + 1
        }
        return CheckRecord(
            name: name, status: report.status, since: status == report.status ? since : report.time,
            output: report.output, durationMilliseconds: report.durationMilliseconds,
            checkedAt: WallTime(checking: time) ?? .last)
    }
}

extension CheckRecord {
    /// The result that it came from; `nil`: none has.
    var report: CheckReport? {
        checkedAt.map {
            CheckReport(
                name: name, status: status, output: output, durationMilliseconds: durationMilliseconds, time: $0)
        }
    }
}

extension RegisteredInstance {
    /// Takes in a result that could not be stored.
    ///
    /// - Parameter now: see ``CheckRecord/adopting(_:now:)``.
    /// - Returns: `false` if it has no such check, or something newer is known.
    mutating func hold(_ report: CheckReport, now: WallTime) -> Bool {
        guard let check = instance.checks.first(where: { $0.name == report.name }),
            let record = result(of: check).adopting(report, now: now)
        else { return false }
        health.unstored.removeAll { $0.name == report.name }
        health.unstored.append(record)
        return true
    }

    /// Forgets results that are stored by now, or for whose checks newer ones are, and those of checks that were others
    /// in the instance that it replaces.
    mutating func forgetStoredResults(replacing known: ServiceInstance?) {
        if health.unstored.isEmpty { return }
        health.unstored.removeAll { [instance] record in
            guard let check = instance.checks.first(where: { $0.name == record.name }) else { return true }
            if let known, !instance.keepsCheck(record.name, of: known) { return true }
            return !record.isNewer(than: instance.result(of: check))
        }
    }
}
