import Engine

/// The last known instances that a name answers.
struct LastKnownState: Sendable {
    /// Since when no instance of it is healthy.
    var since: Moment
    /// When it ends at the latest.
    var end: Moment
    /// In the order of their registration.
    var members: [LastKnown.Member]
}

/// Names of a service begin to answer their last known instances, or end to.
struct LastKnownTurn: Sendable, Equatable {
    /// Why names no longer answer them.
    enum End: String, Sendable {
        case healthy = "an instance is healthy"
        case withdrawn = "the last of them is deregistered or drained, or runs again elsewhere"
        case released = "released"
        case policy = "the policy is another"
        case time = "an hour is over, or there are too many"
    }

    var service: String
    /// `nil`: they begin.
    var end: End?
    var nameCount: Int
}

/// Names without a healthy instance that answer what they had last.
extension ZonePublisher {
    /// Takes in why instances have left, and which have come. To be called with all changes before any of them is
    /// published: the publication of one may show others.
    mutating func noteDepartures(_ changes: [InstanceChange], now: Moment) {
        guard usesLastKnown else { return }
        if !lastKnown.isEmpty { lastKnown.prune(now: now.monotonic) }
        for change in changes {
            if let old = change.old { noteDeparture(of: old, in: change, now) }
            guard !lastKnown.isEmpty, let new = change.new?.instance else { continue }
            let old = change.old?.instance
            let isInPlace = old.map {
                $0.name == new.name && $0.address == new.address && $0.port == new.port
                    && $0.transport == new.transport
            }
            if isInPlace != true, let registered = change.new { lastKnown.supersede(by: registered) }
        }
    }

    private mutating func noteDeparture(of old: RegisteredInstance, in change: InstanceChange, _ now: Moment) {
        let service = old.instance.name
        let wasAnswered = old.isHealthy || old.isCritical && protections[service] != nil
        if let new = change.new, new.instance.name == service {
            if !new.isCritical { return lastKnown.isEmpty ? () : lastKnown.forget(old.instance) }
            guard wasAnswered else { return lastKnown.update(new, isRegistered: true) }
            if policy(of: service).answersLastKnown { lastKnown.departed(new, isRegistered: true, now: now) }
        } else if change.new == nil, change.reason == .expired {
            guard wasAnswered else { return lastKnown.update(old, isRegistered: false) }
            if policy(of: service).answersLastKnown { lastKnown.departed(old, isRegistered: false, now: now) }
        } else {
            lastKnown.forget(old.instance)
        }
    }

    /// Makes names of a service answer what they had last.
    ///
    /// - Parameter changes: those of the service, in which names in their grace time are failures.
    mutating func answerLastKnown(_ changes: inout [NameChange], of service: String, _ now: Moment) {
        let others = lastKnown.takeChanged(of: service)
        var open: [ServicePart: Int] = [:]
        var seen: Set<ServicePart> = []
        var recovered = 0
        for index in changes.indices {
            guard let part = ServicePart(changes[index].name, of: service) else { continue }
            if !others.isEmpty { seen.insert(part) }
            if changes[index].content.isAnswered {
                guard lastKnown.end(part, in: service) else { continue }
                recovered += 1
                // What it has answered is not known to whoever keeps the records of many instances.
                changes[index].content = changes[index].content.replacingAll
            } else if lastKnown.term(of: part, in: service) != nil, !grace.contains(changes[index].name) {
                open[part] = index
            }
        }
        for part in others where !seen.contains(part) {
            guard let name = part.relativeName(of: service), !grace.contains(name) else { continue }
            open[part] = changes.count
            changes.append(
                NameChange(name: name, content: finalContent(of: EmptyGrace.Name(service: service, text: name))))
        }
        note(recovered, of: service, .healthy)
        answer(open, of: service, in: &changes, now)
    }

    /// Makes names whose grace time is over answer what they had last.
    ///
    /// - Parameters:
    ///   - names: that of each change from `start` on.
    mutating func answerLastKnown(
        _ names: [EmptyGrace.Name], in changes: inout [NameChange], from start: Int, _ now: Moment
    ) {
        if lastKnown.isEmpty { return }
        var open: [String: [ServicePart: Int]] = [:]
        for (index, name) in names.enumerated() {
            guard let part = ServicePart(name.text, of: name.service),
                lastKnown.term(of: part, in: name.service) != nil
            else { continue }
            open[name.service, default: [:]][part] = start + index
        }
        for (service, parts) in open { answer(parts, of: service, in: &changes, now) }
    }

    /// - Parameter open: the names, and where each is in `changes`. If nothing is known of one, its term ends.
    private mutating func answer(
        _ open: [ServicePart: Int], of service: String, in changes: inout [NameChange], _ now: Moment
    ) {
        let policy = policy(of: service)
        let contents = lastKnown.contents(of: Set(open.keys), in: service, policy)
        var (begun, ended) = (0, 0)
        for (part, index) in open {
            if let content = contents[part] {
                changes[index].content = content
                changes[index].strategy = policy.strategy
                changes[index].isStale = true
                if lastKnown.noteAnswered(part, in: service) { begun += 1 }
            } else if lastKnown.end(part, in: service) {
                ended += 1
            }
        }
        lastKnown.tidy(service, now: now.monotonic)
        note(begun, of: service, nil)
        note(ended, of: service, .withdrawn)
    }

    // MARK: Ends

    /// Ends that names of a service answer their last known instances. To be followed by
    /// ``publishLastKnown(of:now:)`` or a publication of the service.
    ///
    /// - Returns: how many instances they have answered with, or were going to.
    @discardableResult
    mutating func endLastKnown(of service: String, because end: LastKnownTurn.End) -> Int {
        let (instances, names) = lastKnown.end(service)
        note(names, of: service, end)
        return instances
    }

    /// Publishes services of which nothing but the last known instances has changed, because they were taken out, or
    /// something else runs where they were.
    ///
    /// - Parameter services: of ``LastKnown/changedServices(limit:)``.
    mutating func publishLastKnown(of services: [String], now: Moment) throws(EngineError) {
        var update = Update()
        for service in services {
            let changes = settled([], of: service, lost: [], now)
            if !changes.isEmpty { update.add(service, changes) }
        }
        if !update.changes.isEmpty { try send(update, now) }
    }

    /// Ends the terms of names whose time is over, or that there is no room for.
    ///
    /// - Parameter limit: how many at most.
    mutating func takeLastKnownDue(now: ContinuousClock.Instant, limit: Int) -> [EmptyGrace.Name] {
        if lastKnown.isEmpty { return [] }
        let due = lastKnown.takeDue(now: now, limit: limit)
        var counts: [String: Int] = [:]
        for each in due where each.wasAnswered { counts[each.name.service, default: 0] += 1 }
        for (service, count) in counts { note(count, of: service, .time) }
        return due.map(\.name)
    }

    // MARK: What is told

    /// The last known instances that a name answers; `nil`: it does not.
    func lastKnownState(of name: String, ofService service: String) -> LastKnownState? {
        guard let part = ServicePart(name, of: service), let term = lastKnown.term(of: part, in: service),
            term.isAnswered
        else { return nil }
        return LastKnownState(
            since: term.since, end: term.since.advanced(by: LastKnown.duration),
            members: lastKnown.members(of: part, in: service))
    }

    /// Removes and returns what is to be logged.
    mutating func takeTurns() -> [LastKnownTurn] {
        if turns.isEmpty { return [] }
        defer { turns = [] }
        return turns
    }

    private mutating func note(_ count: Int, of service: String, _ end: LastKnownTurn.End?) {
        if count > 0 { turns.append(LastKnownTurn(service: service, end: end, nameCount: count)) }
    }
}

extension LastKnown {
    /// Notes that DNS no longer answers with critical instances, as their service is no longer protected.
    mutating func departed(_ instances: [RegisteredInstance], _ now: Moment) {
        for registered in instances { departed(registered, isRegistered: true, now: now) }
    }
}

extension RegisteredInstance {
    /// Whether its checks fail, and its owner has not taken it out.
    var isCritical: Bool { status == .critical }
}
