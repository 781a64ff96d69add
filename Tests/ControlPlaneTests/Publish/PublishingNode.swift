import Engine
import Testing

@testable import ControlPlane

/// A table, its publisher, the zone and a clock, without the rest of a node.
struct PublishingNode {
    var table = InstanceTable()
    var publisher: ZonePublisher
    let zone = TestZone()
    let clock = TestClock()
    let policy: RecordPolicy

    init(_ policy: RecordPolicy = RecordPolicy()) {
        self.policy = policy
        publisher = ZonePublisher(sink: zone, policy: policy)
        table.journal.open()
    }

    mutating func put(_ instance: ServiceInstance) {
        table.put(instance, lease: Lease(ttlSeconds: 0, now: clock.now))
    }

    /// Publishes what has changed.
    mutating func publish() throws {
        let changes = table.journal.take()
        let table = table
        publisher.noteDepartures(changes, now: clock.now)
        try publisher.publish(changes, now: clock.now) { table.all(ofService: $0) }
        try publishLastKnown()
    }

    /// Publishes what else has changed of last known instances.
    mutating func publishLastKnown() throws {
        try publisher.publishLastKnown(of: publisher.lastKnown.changedServices(limit: .max), now: clock.now)
    }

    /// Publishes services as a whole, as after a publication that failed.
    mutating func publish(services: [String]) throws {
        let table = table
        try publisher.publish(services, now: clock.now) { table.all(ofService: $0) }
    }

    /// Every name with what it should answer.
    func expected(_ services: [String]) -> [String: NameContent] {
        var contents: [String: NameContent] = [:]
        for service in services {
            let instances = table.all(ofService: service).map { PublishedInstance($0) }
            for change in ServiceRecords.changes(service: service, instances: instances, policy: policy)
            where change.content != .absent {
                contents[change.name] = change.content
            }
        }
        return contents
    }

    /// Checks that the zone is what it should be.
    func expectZone(_ services: [String], _ comment: Comment) {
        let expected = expected(services)
        #expect(zone.names == Set(expected.keys), comment)
        for (name, content) in expected { #expect(zone.content(name) == content, "\(name) \(comment)") }
    }
}

extension InstanceTable {
    /// All instances of a service, in the order of their registration.
    func all(ofService name: String) -> [RegisteredInstance] {
        instances(ofService: name, after: nil, limit: .max)
    }
}
