/// The instances as they were at one moment, while they go on to change: for readers that take long.
///
/// Nothing is copied when a view is opened. A change of an instance that a reader has not come to yet keeps what was
/// there before, once for each instance; what the reader has passed costs nothing any more. So readers hold up no
/// change, and what they cost follows from how much changes while they read.
struct PastViews: Sendable {
    /// A view's identity.
    struct ID: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// How many views there may be at once.
    static let maximumCount = 2
    /// About how many octets a view may keep of what has changed since it was opened. Beyond, it is lost.
    static let maximumOctets = 256 << 20

    /// What was at a place before it changed.
    fileprivate struct Before: OrderedEntry {
        var place: UInt64
        /// `nil`: nothing.
        var registered: RegisteredInstance?
        var octets: Int
    }

    fileprivate struct View: Sendable {
        let id: ID
        /// All places of then are below this one. What comes above it is new: a reader must not run after that.
        let limit: UInt64
        /// The place up to which it was read; `nil`: not at all.
        var position: UInt64?
        var kept = OrderedIndex<Before>()
        var octets = 0
        var isLost = false
    }

    // No dictionary: going through its keys would share what is changed meanwhile, so that all of it were copied.
    private var views: [View] = []
    private var lastNumber: UInt64 = 0

    /// Whether there are no views.
    var isEmpty: Bool { views.isEmpty }

    /// Opens a view of what there is now.
    ///
    /// - Returns: `nil` if there are too many.
    ///
    /// - Parameter limit: is above the places of all that there is.
    mutating func open(below limit: UInt64) -> ID? {
        guard views.count < Self.maximumCount else { return nil }
        lastNumber += 1
        views.append(View(id: ID(number: lastNumber), limit: limit))
        return views.last?.id
    }

    /// Forgets a view.
    mutating func close(_ id: ID) { views.removeAll { $0.id == id } }

    /// Notes that an instance is about to be another one, to come or to leave.
    mutating func note(from old: RegisteredInstance?, to new: RegisteredInstance?) {
        guard let place = (old ?? new)?.instance.sequence else { return }
        for index in views.indices { views[index].note(place, old) }
    }

    /// Where a view is to be read on.
    ///
    /// - Returns: the place to begin after, `nil` for the beginning, and the one to end before; `nil`: the view is
    ///   lost.
    func position(of id: ID) -> (position: UInt64?, limit: UInt64)? {
        guard let view = views.first(where: { $0.id == id }), !view.isLost else { return nil }
        return (view.position, view.limit)
    }

    /// Turns the present instances behind the view's position into those of its moment, and moves the position on.
    ///
    /// - Parameter end: the place up to which `present` has all.
    mutating func read(_ id: ID, _ present: [RegisteredInstance], to end: UInt64) -> [RegisteredInstance] {
        views.firstIndex { $0.id == id }.map { views[$0].read(present, to: end) } ?? []
    }
}

extension PastViews.View {
    fileprivate mutating func note(_ place: UInt64, _ old: RegisteredInstance?) {
        guard !isLost, place < limit, position.map({ place > $0 }) ?? true, !kept.contains(place) else { return }
        let before = PastViews.Before(place: place, registered: old, octets: old?.instance.roughOctets ?? 128)
        octets += before.octets
        kept.insert(before)
        guard octets > PastViews.maximumOctets else { return }
        isLost = true
        kept = OrderedIndex()
    }

    fileprivate mutating func read(_ present: [RegisteredInstance], to end: UInt64) -> [RegisteredInstance] {
        var changed: [PastViews.Before] = []
        kept.forEach(after: position) { before in
            guard before.place <= end else { return false }
            changed.append(before)
            return true
        }
        position = end
        let present =
            present.last.map { $0.instance.sequence < limit } ?? true
            ? present : present.filter { $0.instance.sequence < limit }
        if changed.isEmpty { return present }
        for before in changed {
            kept.remove(before.place)
            octets -= before.octets
        }
        let places = Set(changed.map(\.place))
        let past = present.filter { !places.contains($0.instance.sequence) } + changed.compactMap(\.registered)
        return past.sorted { $0.instance.sequence < $1.instance.sequence }
    }
}

extension InstanceTable {
    /// What there is at the moment at which a view is opened.
    struct PastView: Sendable {
        let id: PastViews.ID
        /// The index of the last change that it has.
        let index: UInt64
        /// How many instances it has.
        let count: Int
        /// All policies.
        let policies: [String: ServicePolicy]
    }

    /// Opens a view of what there is now; it must be closed.
    ///
    /// - Returns: `nil` if there are too many.
    mutating func openPastView() -> PastView? {
        journal.pastViews.open(below: nextSequence).map {
            PastView(id: $0, index: changeIndex, count: count, policies: policies)
        }
    }

    /// Closes a view.
    mutating func closePastView(_ id: PastViews.ID) { journal.pastViews.close(id) }

    /// Reads the next instances of a view, in the order of their registration. They have what was stored of them then,
    /// and the lease that they had then or have now.
    ///
    /// - Parameter limit: how many instances of now may be looked at; there may be more of then.
    /// - Returns: `nil` if too much has changed since it was opened.
    mutating func readPastView(
        _ id: PastViews.ID, limit: Int
    ) -> (instances: [RegisteredInstance], isLast: Bool)? {
        guard let (position, bound) = journal.pastViews.position(of: id) else { return nil }
        let page = page(after: position, limit: limit, scanLimit: limit, filter: InstanceFilter())
        let isLast = page.isLast || page.lastSequence.map { $0 >= bound } ?? true
        let end = isLast ? .max : page.lastSequence ?? .max
        return (journal.pastViews.read(id, page.instances, to: end), isLast)
    }
}

extension ServiceInstance {
    /// About how many octets of memory it takes.
    fileprivate var roughOctets: Int {
        let metadata = metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 64 }
        return 512 + metadata + 32 * tags.count + 1024 * checks.count + 768 * results.count
    }
}
