/// Which changes somebody wants to hear of.
struct FeedInterest: Sendable, Equatable {
    /// What is looked at.
    enum Subject: Sendable {
        /// Instances and policies, as events.
        case events
        /// The list of instances.
        case instances
        /// The list of services with the numbers of their instances by status.
        case names
    }

    var subject: Subject
    var filter = InstanceFilter()

    /// What a change means to somebody who knows what the filter matches.
    enum Meaning: Equatable {
        /// Nothing.
        case none
        /// What it is.
        case change
        /// An instance that was there before belongs to it now.
        case joining
        /// An instance that is still there does no longer belong to it.
        case leaving
    }

    /// What a change means.
    func meaning(of entry: FeedEntry) -> Meaning {
        if let name = entry.policyName {
            return subject == .events && (filter.name.map { $0 == name } ?? true) ? .change : .none
        }
        if subject == .names {
            return entry.old?.name == entry.new?.name && entry.old?.status == entry.new?.status ? .none : .change
        }
        let was = entry.old.map { filter.matches($0) } ?? false
        let `is` = entry.new.map { filter.matches($0) } ?? false
        switch (was, `is`) {
        case (false, false): return .none
        case (true, true): return .change
        case (false, true): return entry.old == nil ? .change : .joining
        case (true, false): return entry.new == nil ? .change : .leaving
        }
    }
}

extension InstanceFilter {
    /// Whether an instance belongs to the list.
    fileprivate func matches(_ facet: FeedFacet) -> Bool {
        (name.map { $0 == facet.name } ?? true)
            && (tag.map { facet.tags.contains($0) } ?? true)
            && (status.map { $0 == facet.status } ?? true)
    }
}
