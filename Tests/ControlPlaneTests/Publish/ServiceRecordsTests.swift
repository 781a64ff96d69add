import Engine
import Testing

@testable import ControlPlane

@Suite struct ServiceRecordsTests {
    private func content(
        _ instances: [ServiceInstance],
        _ policy: RecordPolicy = RecordPolicy(),
        name: String = "orders"
    ) -> NameContent? {
        changes("orders", instances, policy).last { $0.name == name }?.content
    }

    private func changes(
        _ service: String, _ instances: [ServiceInstance], _ policy: RecordPolicy = RecordPolicy()
    ) -> [NameChange] {
        let instances = instances.map { PublishedInstance($0) }
        return ServiceRecords.changes(service: service, instances: instances, policy: policy)
    }

    private func set(_ type: RecordType, _ content: NameContent?) -> RRset? {
        guard case .records(let sets) = content else { return nil }
        return sets.first { $0.type == type }
    }

    private func address(_ ip: String, _ weight: UInt32) throws -> Record {
        Record(.address(try #require(IPAddress(ip))), weight: weight)
    }

    private func service(_ priority: UInt16, _ weight: UInt16, _ port: UInt16, _ ip: String) throws -> Record {
        let target = try #require(IPAddress(ip))
        return Record(.service(priority: priority, weight: weight, port: port, target: target), weight: UInt32(weight))
    }

    @Test func `a service has its name, its protocols and its tags`() {
        let instances: [ServiceInstance] = [
            .test(1, tags: ["v1", "eu"]), .test(2, ip: "10.0.0.2", transport: .udp, tags: ["v1"]),
        ]
        let names = changes("orders", instances).map(\.name)
        #expect(Set(names) == ["orders", "_orders._tcp", "_orders._udp", "v1.orders", "eu.orders"])
        #expect(set(.a, content(instances, name: "eu.orders"))?.records.count == 1)
        #expect(set(.a, content(instances, name: "v1.orders"))?.records.count == 2)
        #expect(set(.srv, content(instances, name: "_orders._udp"))?.records.count == 1)
        #expect(set(.a, content(instances, name: "_orders._udp")) == nil)
    }

    @Test func `each family has its own addresses, in the order of registration`() throws {
        let found = content([
            .test(1, ip: "10.0.0.2"), .test(2, ip: "2001:db8::1"), .test(3, ip: "10.0.0.1"),
        ])
        #expect(set(.a, found)?.records == [try address("10.0.0.2", 1), try address("10.0.0.1", 1)])
        #expect(set(.aaaa, found)?.records == [try address("2001:db8::1", 1)])
        #expect(set(.srv, found)?.records.count == 3)
    }

    @Test func `an address comes once, with the weights of its instances`() throws {
        let found = content([
            .test(1, ip: "10.0.0.1", port: 80, weight: 100),
            .test(2, ip: "10.0.0.2", port: 80, weight: 100),
            .test(3, ip: "10.0.0.1", port: 81, weight: 200),
        ])
        #expect(set(.a, found)?.records == [try address("10.0.0.1", 3), try address("10.0.0.2", 1)])
    }

    @Test func `a target and port comes once, with the higher weight`() throws {
        let found = content([
            .test(1, ip: "10.0.0.1", port: 80, weight: 50),
            .test(2, ip: "10.0.0.1", port: 80, transport: .udp, weight: 150),
            .test(3, ip: "10.0.0.2", port: 80, weight: 100),
        ])
        #expect(set(.srv, found)?.records == [try service(0, 3, 80, "10.0.0.1"), try service(0, 2, 80, "10.0.0.2")])
    }

    @Test func `weights are in their lowest terms`() throws {
        let found = content([.test(2, ip: "10.0.0.2", weight: 100), .test(3, ip: "10.0.0.3", weight: 250)])
        #expect(set(.srv, found)?.records == [try service(0, 2, 80, "10.0.0.2"), try service(0, 5, 80, "10.0.0.3")])
        #expect(ServiceRecords.greatestCommonDivisor([0, 0]) == 1)
        #expect(ServiceRecords.greatestCommonDivisor([]) == 1)
        #expect(ServiceRecords.greatestCommonDivisor([65535]) == 65535)
    }

    @Test func `who has weight 0 stands by until nobody of the priority group has more`() throws {
        let both: [ServiceInstance] = [
            .test(1, ip: "10.0.0.1", tags: ["old"], weight: 0, dnsTTL: 2), .test(2, ip: "10.0.0.2", weight: 100),
            .test(3, ip: "10.0.0.3", transport: .udp, weight: 0), .test(4, ip: "10.0.0.2", port: 81, weight: 0),
        ]
        for policy in [RecordPolicy(), RecordPolicy(isLowestPriorityOnly: false)] {
            let found = content(both, policy)
            #expect(set(.a, found)?.records == [try address("10.0.0.2", 1)])
            #expect(set(.srv, found)?.records == [try service(0, 1, 80, "10.0.0.2")])
            // Instances that are not answered do not affect the TTL.
            #expect(set(.a, found)?.ttl == 5)
            // For each name separately.
            let old = content(both, policy, name: "old.orders")
            #expect(set(.srv, old)?.records == [try service(0, 0, 80, "10.0.0.1")] && set(.a, old)?.ttl == 2)
            #expect(set(.srv, content(both, policy, name: "_orders._udp"))?.records.count == 1)
            var drained = both
            drained[1].isDraining = true
            let rest = content(drained, policy)
            #expect(
                set(.srv, rest)?.records == [
                    try service(0, 0, 80, "10.0.0.1"), try service(0, 0, 80, "10.0.0.3"),
                    try service(0, 0, 81, "10.0.0.2"),
                ])
            #expect(set(.a, rest)?.records.count == 3)
        }
    }

    @Test func `who stands by comes before the next priority group`() throws {
        let instances: [ServiceInstance] = [
            .test(1, ip: "10.0.0.1", weight: 0, priority: 1), .test(2, ip: "10.0.0.2", weight: 100, priority: 2),
            .test(3, ip: "10.0.0.3", weight: 0, priority: 2),
        ]
        #expect(set(.srv, content(instances))?.records == [try service(1, 0, 80, "10.0.0.1")])
        // If all groups are answered, each has its own.
        let all = content(instances, RecordPolicy(isLowestPriorityOnly: false))
        #expect(set(.srv, all)?.records == [try service(1, 0, 80, "10.0.0.1"), try service(2, 1, 80, "10.0.0.2")])
    }

    @Test func `each family stands by for itself`() throws {
        for policy in [RecordPolicy(), RecordPolicy(isLowestPriorityOnly: false)] {
            let found = content([.test(1, ip: "10.0.0.1", weight: 0), .test(2, ip: "::1", weight: 100)], policy)
            #expect(set(.a, found)?.records == [try address("10.0.0.1", 0)])
            #expect(set(.aaaa, found)?.records == [try address("::1", 1)])
            #expect(set(.srv, found)?.records == [try service(0, 1, 80, "::1")])
        }
    }

    @Test func `only the best priority group that is there is answered`() throws {
        let instances: [ServiceInstance] = [
            .test(1, ip: "10.0.0.1", priority: 1, draining: true), .test(2, ip: "10.0.0.2", weight: 7, priority: 5),
            .test(3, ip: "10.0.0.3", tags: ["v1"], priority: 9),
        ]
        let found = content(instances)
        #expect(set(.a, found)?.records == [try address("10.0.0.2", 1)])
        #expect(set(.srv, found)?.records == [try service(5, 1, 80, "10.0.0.2")])
        // Each name has its own best group.
        #expect(set(.a, content(instances, name: "v1.orders"))?.records == [try address("10.0.0.3", 1)])
        let all = content(instances, RecordPolicy(isLowestPriorityOnly: false))
        #expect(set(.srv, all)?.records.count == 2)
    }

    @Test func `a doubled target keeps its best priority when all groups are answered`() throws {
        let all = content(
            [.test(1, weight: 10, priority: 2), .test(2, transport: .udp, weight: 5, priority: 1)],
            RecordPolicy(isLowestPriorityOnly: false)
        )
        #expect(set(.srv, all)?.records == [try service(1, 1, 80, "10.0.0.1")])
    }

    @Test func `an RRset has the smallest TTL of the instances it answers`() {
        let found = content([
            .test(1, ip: "10.0.0.1", dnsTTL: 30), .test(2, ip: "10.0.0.2", dnsTTL: 7),
            .test(3, ip: "10.0.0.3", priority: 1, dnsTTL: 1), .test(4, ip: "::1", dnsTTL: 60),
        ])
        #expect(set(.a, found)?.ttl == 7)
        #expect(set(.aaaa, found)?.ttl == 60)
        #expect(set(.srv, found)?.ttl == 7)
    }

    @Test(arguments: [NameContent.absent, .records([]), .failure])
    func `a service without a healthy instance answers what is configured`(onEmpty: NameContent) {
        let policy = RecordPolicy(onEmpty: onEmpty)
        let instances: [ServiceInstance] = [
            .test(1, tags: ["v1"], draining: true), .test(2, ip: "::1", transport: .udp),
        ]
        #expect(content(instances, policy, name: "v1.orders") == onEmpty)
        #expect(content(instances, policy, name: "_orders._tcp") == onEmpty)
        #expect(set(.aaaa, content(instances, policy))?.records.count == 1)
    }

    @Test func `many instances are told apart as few are`() {
        let instances = (0..<300).map { number in
            ServiceInstance.test(
                UInt64(number), ip: "10.0.0.\(number % 100)", port: UInt16(1 + number % 200), tags: ["t\(number % 50)"])
        }
        let found = content(instances)
        #expect(set(.a, found)?.records.count == 100)
        #expect(set(.srv, found)?.records.count == 200)
        #expect(set(.a, content(instances, name: "t49.orders"))?.records.count == 2)
    }

    @Test func `each family is answered with its own best priority group, SRV with the best of all`() throws {
        let found = content([
            .test(1, ip: "10.0.0.1", priority: 0), .test(2, ip: "10.0.0.2", priority: 2),
            .test(3, ip: "2001:db8::1", priority: 1), .test(4, ip: "2001:db8::2", priority: 2),
        ])
        #expect(set(.a, found)?.records == [try address("10.0.0.1", 1)])
        #expect(set(.aaaa, found)?.records == [try address("2001:db8::1", 1)])
        #expect(set(.srv, found)?.records.count == 1)
        // And the other way round.
        let other = content([
            .test(1, ip: "10.0.0.1", priority: 1), .test(2, ip: "10.0.0.2", priority: 2),
            .test(3, ip: "2001:db8::1", priority: 0), .test(4, ip: "2001:db8::2", priority: 2),
        ])
        #expect(set(.a, other)?.records == [try address("10.0.0.1", 1)])
        #expect(set(.aaaa, other)?.records == [try address("2001:db8::1", 1)])
        #expect(set(.srv, other)?.records.count == 1)
    }

    @Test func `a service of 63 octets has all names but that of its protocol`() {
        let instances: [ServiceInstance] = [.test(1, tags: ["v1"])]
        for (length, count) in [(62, 3), (63, 2)] {
            let service = String(repeating: "n", count: length)
            let names = changes(service, instances).map(\.name)
            #expect(names.count == count)
            #expect(Set(names) == Set(ServiceNames(instances.map { PublishedInstance($0) }).relativeNames(of: service)))
        }
    }
}
