import Engine

/// What names without a healthy instance have answered last, for services whose `on_empty` is `last_known`. It is pure.
///
/// It has the instances that DNS has stopped answering with because they have expired or their checks have failed, and
/// the names that have lost their last healthy one by that. What an owner takes out is forgotten.
struct LastKnown: Sendable {
    /// How long after its last healthy instance has gone a name is answered like this at most.
    static let duration = Duration.seconds(3600)
    /// Instances that have gone so long before the last one of a name are answered with it: those that die together
    /// are not found dead in the same moment.
    static let span = Duration.seconds(30)
    /// The most names; beyond that, the oldest leave early.
    static let maximumNames = 1_000_000
    /// The most instances; beyond that, the names that were empty first leave early.
    static let maximumInstances = 1_000_000

    /// An instance that DNS no longer answers with as a healthy one.
    struct Member: Sendable {
        /// As it was last, or as it is if it is still registered.
        var registered: RegisteredInstance
        /// When it has gone.
        var left: Moment
        /// Whether it is still registered; otherwise it has expired.
        var isRegistered: Bool
    }

    /// A name that has no healthy instance.
    struct Term: Sendable {
        /// Since when.
        var since: Moment
        /// Whether it answers its last known instances: not before its grace time is over.
        var isAnswered = false

        /// Whether an instance was in the name's last answers.
        func includes(_ member: Member) -> Bool { member.left.monotonic + LastKnown.span >= since.monotonic }
    }

    private struct Service: Sendable {
        /// By sequence number.
        var members: [UInt64: Member] = [:]
        var terms: [ServicePart: Term] = [:]

        /// Whether a name answers with a member, or is going to.
        func needs(_ member: Member) -> Bool {
            !terms.isEmpty && member.registered.instance.parts.contains { terms[$0]?.includes(member) ?? false }
        }

        /// Whether it keeps a member that has gone at that time, although no name needs it.
        func hasInVain(_ sequence: UInt64, since left: ContinuousClock.Instant) -> Bool {
            members[sequence].map { $0.left.monotonic == left && !needs($0) } ?? false
        }
    }

    /// Where a member is.
    private struct Place: Sendable, Equatable {
        var service: String
        var sequence: UInt64
    }

    /// Where an instance listens.
    private struct ListeningPoint: Sendable, Hashable {
        var address: SocketAddress
        var transport: TransportProtocol

        init(_ instance: ServiceInstance) {
            address = SocketAddress(instance.address, port: instance.port)
            transport = instance.transport
        }
    }

    private let maximumMembers: Int
    private var services: [String: Service] = [:]
    /// When the terms of names end.
    private var ends: EmptyGrace
    /// Members in the order in which they have gone, from `firstRecent` on: some of them a short while ago.
    private var recent: [(place: Place, left: ContinuousClock.Instant)] = []
    private var firstRecent = 0
    /// The members that are not registered any more, by id.
    private var expired: [String: Place] = [:]
    /// The same by endpoint and service, with their sequence numbers: thousands may share an endpoint.
    private var endpoints: [ListeningPoint: [String: Set<UInt64>]] = [:]
    /// Names whose members have changed since they were published.
    private var changed: [String: Set<ServicePart>] = [:]
    /// Services of which terms have ended since ``tidy(_:now:)``.
    private var ended: Set<String> = []
    /// The number of members.
    private(set) var memberCount = 0
    /// How many names answer their last known instances.
    private(set) var answeredCount = 0

    /// Nothing is known.
    ///
    /// - Parameters:
    ///   - maximumNames: how many names there may be.
    ///   - maximumMembers: how many instances are remembered.
    init(maximumNames: Int = maximumNames, maximumMembers: Int = maximumInstances) {
        self.maximumMembers = maximumMembers
        ends = EmptyGrace(Self.duration, maximum: maximumNames)
    }

    /// Whether there is nothing to do for any service.
    var isEmpty: Bool { services.isEmpty && changed.isEmpty }

    /// Whether there is something to do for a service.
    func concerns(_ service: String) -> Bool { services[service] != nil || changed[service] != nil }

    /// The term of a name; `nil`: it has none.
    func term(of part: ServicePart, in service: String) -> Term? { services[service]?.terms[part] }

    /// The instances with which a name answers, or is going to, in the order of their registration.
    func members(of part: ServicePart, in service: String) -> [Member] {
        guard let known = services[service], let term = known.terms[part] else { return [] }
        return known.members.values.filter { term.includes($0) && $0.registered.instance.parts.contains(part) }
            .sorted { $0.registered.instance.sequence < $1.registered.instance.sequence }
    }

    // MARK: Instances

    /// Notes that DNS no longer answers with an instance as a healthy one, though nobody has taken it out.
    mutating func departed(_ registered: RegisteredInstance, isRegistered: Bool, now: Moment) {
        makeRoom()
        let place = Place(service: registered.instance.name, sequence: registered.instance.sequence)
        insert(Member(registered: registered, left: now, isRegistered: isRegistered), at: place)
    }

    /// Takes in how an instance is now that may be among them.
    mutating func update(_ registered: RegisteredInstance, isRegistered: Bool) {
        let place = Place(service: registered.instance.name, sequence: registered.instance.sequence)
        guard let known = services[place.service]?.members[place.sequence] else { return }
        insert(Member(registered: registered, left: known.left, isRegistered: isRegistered), at: place)
    }

    /// Forgets an instance: it is healthy, or its owner has taken it out.
    mutating func forget(_ instance: ServiceInstance) {
        _ = remove(Place(service: instance.name, sequence: instance.sequence))
    }

    /// Forgets an expired instance that its owner wanted to take out when it had expired.
    ///
    /// - Parameter isAllowed: whether an instance of that service may be taken out.
    mutating func forget(id: String, if isAllowed: (_ service: String) -> Bool = { _ in true }) {
        if let place = expired[id], isAllowed(place.service) { _ = remove(place) }
    }

    /// Forgets expired instances that somebody wanted to take out. This costs all of them, or those of the service.
    ///
    /// - Parameter service: the only one to look at; `nil`: all.
    mutating func forgetExpired(ofService service: String? = nil, where isSuch: (ServiceInstance) -> Bool) {
        let places =
            service.map { name in
                (services[name]?.members ?? [:]).filter { !$0.value.isRegistered }
                    .map { Place(service: name, sequence: $0.key) }
            } ?? Array(expired.values)
        for place in places {
            guard let member = services[place.service]?.members[place.sequence] else { continue }
            if isSuch(member.registered.instance) { _ = remove(place) }
        }
    }

    /// Takes in an instance that is new, or has another endpoint: what expired under its id or endpoint is not there
    /// any more. If it is not healthy yet, it is answered in place of that. An endpoint at which several services were
    /// is that of something in front of them, and says nothing about the others.
    mutating func supersede(by registered: RegisteredInstance) {
        let instance = registered.instance
        var places = places(like: instance)
        if let place = expired[instance.id] { places.append(place) }
        var left: Moment?
        for place in places {
            guard let gone = remove(place), place.service == instance.name else { continue }
            left = left.map { $0.monotonic < gone.left.monotonic ? gone.left : $0 } ?? gone.left
        }
        guard let left, registered.status == .critical else { return }
        let place = Place(service: instance.name, sequence: instance.sequence)
        insert(Member(registered: registered, left: left, isRegistered: true), at: place)
    }

    /// Where members are that have expired at the endpoint of an instance.
    private func places(like instance: ServiceInstance) -> [Place] {
        guard let there = endpoints[ListeningPoint(instance)] else { return [] }
        let service = there.count == 1 ? there.keys.first ?? instance.name : instance.name
        return (there[service] ?? []).map { Place(service: service, sequence: $0) }
    }

    private mutating func insert(_ member: Member, at place: Place) {
        let instance = member.registered.instance
        let old = services[place.service]?.members[place.sequence]
        if let old, !old.isRegistered { unlink(old.registered.instance, place) }
        if old == nil { memberCount += 1 }
        if old?.left != member.left { recent.append((place, member.left.monotonic)) }
        services[place.service, default: Service()].members[place.sequence] = member
        if !member.isRegistered {
            expired[instance.id] = place
            endpoints[ListeningPoint(instance), default: [:]][place.service, default: []].insert(place.sequence)
        }
        if let old {
            if old.registered.instance.hasSameRecords(as: instance) { return }
            note(changeOf: old.registered.instance)
        }
        note(changeOf: instance)
    }

    private mutating func remove(_ place: Place) -> Member? {
        guard let member = services[place.service]?.members.removeValue(forKey: place.sequence) else { return nil }
        memberCount -= 1
        if !member.isRegistered { unlink(member.registered.instance, place) }
        note(changeOf: member.registered.instance)
        dropIfEmpty(place.service)
        return member
    }

    private mutating func unlink(_ instance: ServiceInstance, _ place: Place) {
        if expired[instance.id] == place { expired[instance.id] = nil }
        let endpoint = ListeningPoint(instance)
        endpoints[endpoint]?[place.service]?.remove(place.sequence)
        if endpoints[endpoint]?[place.service]?.isEmpty == true { endpoints[endpoint]?[place.service] = nil }
        if endpoints[endpoint]?.isEmpty == true { endpoints[endpoint] = nil }
    }

    private mutating func note(changeOf instance: ServiceInstance) {
        guard let terms = services[instance.name]?.terms, !terms.isEmpty else { return }
        for part in instance.parts where terms[part] != nil { changed[instance.name, default: []].insert(part) }
    }

    /// Notes that the settings for a service have changed, and so may all that its names answer.
    mutating func noteChange(of service: String) {
        guard let terms = services[service]?.terms, !terms.isEmpty else { return }
        changed[service, default: []].formUnion(terms.keys)
    }

    private mutating func dropIfEmpty(_ service: String) {
        if let known = services[service], known.members.isEmpty, known.terms.isEmpty { services[service] = nil }
    }

    /// Forgets instances that have gone too long ago to be answered with others that go now.
    mutating func prune(now: ContinuousClock.Instant) {
        while firstRecent < recent.count, recent[firstRecent].left + Self.span < now { popRecent() }
    }

    private mutating func makeRoom() {
        while memberCount >= maximumMembers, firstRecent < recent.count { popRecent() }
    }

    private mutating func popRecent() {
        let (place, left) = recent[firstRecent]
        firstRecent += 1
        if firstRecent == recent.count || firstRecent > 1024 && firstRecent > recent.count / 2 {
            recent.removeFirst(firstRecent)
            firstRecent = 0
        }
        // No copy of the service is held while it changes.
        let isInVain = services[place.service].map { $0.hasInVain(place.sequence, since: left) } ?? false
        if isInVain { _ = remove(place) }
    }

    // MARK: Names

    /// Begins the terms of names that have just lost their last healthy instance: of those that have had an instance
    /// that is known.
    mutating func begin(_ names: [String], of service: String, now: Moment) {
        guard let known = services[service] else { return }
        let parts = Set(names.compactMap { ServicePart($0, of: service) })
        let term = Term(since: now)
        var begun: Set<ServicePart> = []
        for member in known.members.values where term.includes(member) {
            for part in member.registered.instance.parts where parts.contains(part) { begun.insert(part) }
        }
        begin(begun, of: service, term)
    }

    /// Begins the terms of names that had no healthy instance when they were seen first: with what is registered.
    ///
    /// - Parameter instances: the critical ones of the service.
    mutating func begin(
        _ names: [String], of service: String, with instances: [RegisteredInstance], now: Moment
    ) {
        let parts = Set(names.compactMap { ServicePart($0, of: service) })
        var begun: Set<ServicePart> = []
        for registered in instances {
            let own = registered.instance.parts.filter { parts.contains($0) }
            if own.isEmpty { continue }
            begun.formUnion(own)
            let place = Place(service: service, sequence: registered.instance.sequence)
            if services[service]?.members[place.sequence] == nil {
                insert(Member(registered: registered, left: now, isRegistered: true), at: place)
            }
        }
        begin(begun, of: service, Term(since: now))
    }

    private mutating func begin(_ parts: Set<ServicePart>, of service: String, _ term: Term) {
        for part in parts where services[service]?.terms[part] == nil {
            guard let name = part.relativeName(of: service) else { continue }
            services[service]?.terms[part] = term
            ends.begin([name], of: service, now: term.since.monotonic)
        }
    }

    /// Notes that a name answers its last known instances now.
    ///
    /// - Returns: whether it did not before.
    mutating func noteAnswered(_ part: ServicePart, in service: String) -> Bool {
        guard services[service]?.terms[part]?.isAnswered == false else { return false }
        services[service]?.terms[part]?.isAnswered = true
        answeredCount += 1
        return true
    }

    /// Ends the term of a name.
    ///
    /// - Returns: whether it has answered its last known instances.
    @discardableResult
    mutating func end(_ part: ServicePart, in service: String) -> Bool {
        guard let term = services[service]?.terms.removeValue(forKey: part) else { return false }
        ended.insert(service)
        if let name = part.relativeName(of: service) { ends.leave(name) }
        if term.isAnswered { answeredCount -= 1 }
        return term.isAnswered
    }

    /// Ends all terms of a service, and forgets its instances.
    ///
    /// - Returns: how many instances names have answered with, and how many names.
    mutating func end(_ service: String) -> (instances: Int, names: Int) {
        guard let known = services[service] else { return (0, 0) }
        let instances = known.members.values.count { known.needs($0) }
        for part in known.terms.keys { changed[service, default: []].insert(part) }
        let names = known.terms.keys.count { end($0, in: service) }
        for sequence in known.members.keys { _ = remove(Place(service: service, sequence: sequence)) }
        services[service] = nil
        ended.remove(service)
        return (instances, names)
    }

    /// Forgets the instances of a service that no name needs any more, if terms of it have ended.
    mutating func tidy(_ service: String, now: ContinuousClock.Instant) {
        guard ended.remove(service) != nil, let known = services[service] else { return }
        for (sequence, member) in known.members {
            let isOld = member.left.monotonic + Self.span < now || memberCount > maximumMembers
            if isOld, !known.needs(member) { _ = remove(Place(service: service, sequence: sequence)) }
        }
        dropIfEmpty(service)
    }

    /// The services that have names whose instances have changed since they were published.
    ///
    /// - Parameter limit: how many at most.
    func changedServices(limit: Int) -> [String] { Array(changed.keys.prefix(limit)) }

    /// Whether there are such services.
    var hasChanged: Bool { !changed.isEmpty }

    /// Removes and returns the names of a service whose instances have changed since they were published.
    mutating func takeChanged(of service: String) -> Set<ServicePart> { changed.removeValue(forKey: service) ?? [] }

    /// When to call ``takeDue(now:limit:)`` next; `nil`: no name has a term.
    var nextEnd: ContinuousClock.Instant? { ends.nextEnd }

    /// Whether there are too many names or instances; the oldest leave at once then.
    var isOverfull: Bool { ends.isOverfull || memberCount > maximumMembers && !ends.isEmpty }

    /// A name whose time is over.
    struct Due: Sendable {
        var name: EmptyGrace.Name
        /// Whether it has answered its last known instances.
        var wasAnswered: Bool
    }

    /// Ends the terms of names whose time is over, or that there is no room for.
    ///
    /// - Parameter limit: how many at most.
    mutating func takeDue(now: ContinuousClock.Instant, limit: Int) -> [Due] {
        var due: [Due] = []
        while due.count < limit, let next = ends.nextEnd, next <= now || isOverfull {
            let isEarly = memberCount > maximumMembers
            let names = ends.takeDue(now: max(next, now), limit: isEarly ? 1 : limit - due.count)
            for name in names {
                guard let part = ServicePart(name.text, of: name.service) else { continue }
                due.append(Due(name: name, wasAnswered: end(part, in: name.service)))
            }
            for service in Set(names.map(\.service)) { tidy(service, now: now) }
        }
        return due
    }

    // MARK: Content

    /// What names answer: the records of their last known instances, by the rules for healthy ones. A name without any
    /// is left out.
    ///
    /// - Parameter policy: the settings for the service.
    func contents(
        of parts: Set<ServicePart>, in service: String, _ policy: RecordPolicy
    ) -> [ServicePart: NameContent] {
        guard let known = services[service], !parts.isEmpty else { return [:] }
        let terms = known.terms.filter { parts.contains($0.key) }
        if terms.isEmpty { return [:] }
        var groups: [ServicePart: [PublishedInstance]] = [:]
        let members = known.members.values.sorted {
            $0.registered.instance.sequence < $1.registered.instance.sequence
        }
        for member in members {
            let instance = PublishedInstance(lastKnown: member.registered, policy)
            for part in member.registered.instance.parts where terms[part]?.includes(member) == true {
                groups[part, default: []].append(instance)
            }
        }
        var contents: [ServicePart: NameContent] = [:]
        for (part, instances) in groups {
            contents[part] = ServiceRecords.content(of: instances, policy, addresses: part.hasAddresses).inBlocks
        }
        return contents
    }
}
