import Engine

/// What the registry knows about a name in the zone of the services.
struct NameExplanation: Sendable {
    /// The instances of the name in the order of their registration.
    var instances: [RegisteredInstance] = []
    /// For each type, why each of the instances is in the answer or not.
    var reasons: [RecordType: [AnswerReason]] = [:]
    /// When SERVFAIL ends, which the name answers because its last healthy instance has gone; `nil`: it does not.
    var graceEnd: ContinuousClock.Instant?
    /// The last known instances that it answers; `nil`: it does not.
    var lastKnown: LastKnownTerm?
}

/// That a name answers its last known instances, as none is healthy.
struct LastKnownTerm: Sendable {
    /// Since when none is healthy.
    var since: WallTime
    /// When it ends at the latest.
    var until: WallTime
    /// The sequence numbers of these instances.
    var members: Set<UInt64>
    /// When those have expired that are not registered any more, by sequence number.
    var expired: [UInt64: WallTime]

    init(_ state: LastKnownState) {
        (since, until) = (state.since.wall, state.end.wall)
        members = Set(state.members.map(\.registered.instance.sequence))
        expired = [:]
        for member in state.members where !member.isRegistered {
            expired[member.registered.instance.sequence] = member.left.wall
        }
    }
}

extension Registry {
    /// Explains a name of a service.
    ///
    /// - Parameters:
    ///   - name: relative to the zone's origin.
    ///   - part: the part of the service that the name stands for.
    ///   - types: of A, AAAA and SRV.
    func explain(
        _ name: String, _ part: ServicePart, ofService service: String, types: [RecordType]
    ) async -> NameExplanation {
        let state = await nameState(name, ofService: service)
        var instances = instances(ofService: service).filter { $0.instance.parts.contains(part) }
        if let expired = state.lastKnown?.members.filter({ !$0.isRegistered }), !expired.isEmpty {
            let known = Set(instances.map(\.instance.id))
            instances += expired.map(\.registered).filter { !known.contains($0.instance.id) }
            instances.sort { $0.instance.sequence < $1.instance.sequence }
        }
        var explanation = NameExplanation(
            instances: instances, graceEnd: state.graceEnd, lastKnown: state.lastKnown.map { LastKnownTerm($0) })
        for type in types {
            explanation.reasons[type] = ServiceRecords.reasons(for: instances, type: type, state)
        }
        return explanation
    }

    /// Whether a service has instances that belong to a part of it.
    func has(_ part: ServicePart, inService service: String) -> Bool {
        store.view.withTable { $0.count(of: part, inService: service) } > 0
    }
}

/// Services whose names are almost what was asked for.
extension Registry {
    /// The most names that are compared.
    private static let maximumComparisons = 20_000
    private static let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789-".utf8)

    /// The services whose names take one edit to reach, or two if the name is longer than three letters; the nearest
    /// first. All of the former are found, and of the latter those that begin alike if there are many services.
    ///
    /// - Parameters:
    ///   - name: in lower case.
    ///   - limit: how many at most.
    func services(near name: String, limit: Int = 5) -> [String] {
        guard (1...63).contains(name.utf8.count) else { return [] }
        var found: [String: Int] = [:]
        var rest = Self.variants(of: Array(name.utf8))[...]
        while !rest.isEmpty {
            let slice = rest.prefix(InstanceView.sliceLength)
            rest = rest.dropFirst(slice.count)
            let known = store.view.withTable { table in
                slice.filter { table.count(of: .whole, inService: $0) > 0 }
            }
            for name in known { found[name] = 1 }
        }
        if name.utf8.count > 3 {
            let count = store.view.withTable { $0.serviceCount }
            let prefix = count > Self.maximumComparisons ? String(name.prefix(3)) : ""
            compare(with: name, beginningWith: prefix, &found)
        }
        found[name] = nil
        return found.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.prefix(limit).map(\.key)
    }

    private func compare(with name: String, beginningWith prefix: String, _ found: inout [String: Int]) {
        var last: String? = prefix.isEmpty ? nil : prefix
        var left = Self.maximumComparisons
        while left > 0 {
            let page = serviceSummaries(after: last, limit: min(InstanceView.sliceLength, left)).map(\.name)
            for other in page where other.hasPrefix(prefix) {
                guard abs(other.utf8.count - name.utf8.count) <= 2 else { continue }
                let distance = editDistance(name, other)
                if distance <= 2 { found[other] = distance }
            }
            left -= page.count
            guard page.count == InstanceView.sliceLength, let end = page.last, end.hasPrefix(prefix) else { return }
            last = end
        }
    }

    /// All names that one edit leads to.
    private static func variants(of name: [UInt8]) -> [String] {
        var variants: [[UInt8]] = []
        for place in 0...name.count {
            for letter in letters { variants.append(Array(name[..<place]) + [letter] + Array(name[place...])) }
            guard place < name.count else { continue }
            variants.append(Array(name[..<place]) + Array(name[(place + 1)...]))
            for letter in letters where letter != name[place] {
                variants.append(Array(name[..<place]) + [letter] + Array(name[(place + 1)...]))
            }
            guard place + 1 < name.count else { continue }
            var swapped = name
            swapped.swapAt(place, place + 1)
            variants.append(swapped)
        }
        return variants.map { String(decoding: $0, as: UTF8.self) }
    }
}
