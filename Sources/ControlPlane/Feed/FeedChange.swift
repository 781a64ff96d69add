/// What has happened to an instance or a service, as readers of the feed are told.
enum FeedEvent: String, CaseIterable, Sendable {
    case registered
    case updated
    case status
    case deregistered
    case expired
    case policy
}

/// What a filter looks at in an instance.
struct FeedFacet: Sendable, Equatable {
    var name: String
    var tags: [String]
    var status: InstanceStatus

    init(_ registered: RegisteredInstance) {
        name = registered.instance.name
        tags = registered.instance.tags
        status = registered.status
    }
}

/// The part of a change that decides who is told of it.
struct FeedEntry: Sendable {
    var event: FeedEvent
    /// The instance before; `nil`: it did not exist.
    var old: FeedFacet?
    /// The instance after; `nil`: it no longer exists.
    var new: FeedFacet?
    /// The service whose policy has changed.
    var policyName: String?
}

/// A change as the feed takes it in.
struct FeedChange: Sendable {
    /// What readers are shown.
    enum Subject: Sendable {
        /// The instance as it is now, or as it was before it left.
        case instance(RegisteredInstance)
        /// A service's policy, a JSON object; `nil`: it was removed.
        case policy(name: String, [UInt8]?)
    }

    /// One higher than that of the previous change.
    var index: UInt64
    var reason: ChangeReason
    var subject: Subject
    var entry: FeedEntry

    /// A change of an instance; `nil` if it is none.
    init?(_ change: InstanceChange) {
        guard let shown = change.new ?? change.old else { return nil }
        index = change.index
        reason = change.reason
        subject = .instance(shown)
        entry = FeedEntry(
            event: FeedEvent(change), old: change.old.map { FeedFacet($0) }, new: change.new.map { FeedFacet($0) })
    }

    /// A change of a policy.
    init(_ change: PolicyChange) {
        index = change.index
        reason = change.reason
        subject = .policy(name: change.name, change.policy)
        entry = FeedEntry(event: .policy, policyName: change.name)
    }

    /// About how many octets its text has.
    var estimatedOctets: Int {
        switch subject {
        case .instance(let registered):
            let instance = registered.instance
            // Names of members, numbers and times.
            var octets = 480 + instance.id.utf8.count + instance.name.utf8.count
            for tag in instance.tags { octets += tag.utf8.count + 3 }
            if !instance.checks.isEmpty {
                var writer = JSONWriter()
                writer.checks(instance.checks)
                octets += writer.octets.count
                for result in instance.results { octets += 160 + result.output.octetsInJSON }
            }
            for entry in instance.metadata { octets += entry.key.octetsInJSON + entry.value.octetsInJSON + 2 }
            return octets
        case .policy(let name, let policy): return 160 + name.utf8.count + (policy?.count ?? 0)
        }
    }
}

extension FeedEvent {
    fileprivate init(_ change: InstanceChange) {
        guard let old = change.old else {
            self = .registered
            return
        }
        guard let new = change.new else {
            self = change.reason == .expired ? .expired : .deregistered
            return
        }
        // Who watches an instance changes nothing that its owner has said.
        switch change.reason {
        case .check, .brake:
            self = .status
            return
        case .request, .requested, .expired, .anotherNode, .loaded: break
        }
        var instance = old.instance
        instance.isDraining = new.instance.isDraining
        instance.results = new.instance.results
        instance.isHeld = new.instance.isHeld
        self = instance == new.instance ? .status : .updated
    }
}

extension String {
    /// How many octets it has as a JSON string.
    fileprivate var octetsInJSON: Int {
        // Quotes around it; a control character has six octets, a quote or backslash two.
        utf8.reduce(into: utf8.count + 3) { count, octet in
            if octet < 0x20 {
                count += 5
            } else if octet == UInt8(ascii: "\"") || octet == UInt8(ascii: "\\") {
                count += 1
            }
        }
    }
}
