import Engine
import Testing

@testable import ControlPlane

/// Which instance a registration without an id means.
@Suite struct IdentityTests {
    private let test = TestRegistry()
    private let first = Registration.anonymous("10.0.0.1")
    private var derivedID: String { first.id }

    private func register(_ registration: Registration) async throws -> (id: String, isNew: Bool) {
        guard case .registered(let registered, let isNew) = try await test.registry.register(registration) else {
            Issue.record("not registered")
            return ("", false)
        }
        return (registered.instance.id, isNew)
    }

    private var addresses: [String] {
        test.registry.list(after: nil, limit: 100, filter: InstanceFilter()).instances
            .map { "\($0.instance.address)" }
    }

    @Test func `a repeated registration is the same instance, also after it was changed`() async throws {
        try await test.running {
            #expect(try await register(first) == (derivedID, true))
            _ = try await test.registry.patch(id: derivedID, InstancePatch(weight: 1, tags: ["v1"]))
            #expect(try await register(first) == (derivedID, false))
            #expect(addresses == ["10.0.0.1"])
        }
    }

    @Test func `an instance that was registered as it was shown is still found without its id`() async throws {
        try await test.running {
            _ = try await register(first)
            #expect(try await register(.test(derivedID)) == (derivedID, false))
            #expect(try await register(first) == (derivedID, false))
        }
    }

    @Test func `when the derived id was moved away and has left a retry finds the instance that exists`() async throws {
        try await test.running {
            _ = try await register(first)
            #expect(try await register(.test(derivedID, ip: "10.0.0.77")) == (derivedID, false))
            let second = try await register(first)
            #expect(second.isNew && second.id != derivedID)
            #expect(try await test.registry.deregister(id: derivedID) == .deregistered)
            #expect(try await register(first) == (second.id, false))
            #expect(addresses == ["10.0.0.1"])
            #expect(test.zone.addresses("orders") == ["10.0.0.1"])
        }
    }

    @Test func `who was moved with his id is not found by his new address either`() async throws {
        try await test.running {
            _ = try await register(first)
            _ = try await register(.test(derivedID, ip: "10.0.0.77"))
            #expect(try await register(.anonymous("10.0.0.77")).isNew)
            #expect(addresses == ["10.0.0.77", "10.0.0.77"])
        }
    }

    @Test(arguments: 0..<4) func `who moves in anything that makes an instance is another one from then on`(
        part: Int
    ) async throws {
        var moved = Registration.test(derivedID)
        switch part {
        case 0: moved.name = "users"
        case 1: moved.address = .v4(7)
        case 2: moved.port = 81
        default: moved.transport = .udp
        }
        try await test.running {
            _ = try await register(first)
            #expect(try await register(moved) == (derivedID, false))
            #expect(try await register(first).isNew)
            moved.hasDerivedID = true
            moved.id = moved.derivedID
            #expect(try await register(moved).isNew)
        }
    }

    @Test(arguments: ["10.0.0.1", "10.0.0.99"])
    func `an instance that was given the derived id of an endpoint is never taken over`(ip: String) async throws {
        try await test.running {
            _ = try await register(.test(derivedID, ip: ip, weight: 7))
            let own = try await register(first)
            #expect(own.isNew && own.id != derivedID)
            #expect(test.registry.instance(id: derivedID)?.instance.weight == 7)
            for _ in 0..<3 { #expect(try await register(first) == (own.id, false)) }
            #expect(addresses == [ip, "10.0.0.1"])
        }
    }

    @Test func `a substitute stays found when it is changed or shown, and not when it is moved or gone`() async throws {
        try await test.running {
            _ = try await register(.test(derivedID, ip: "10.0.0.99"))
            let id = try await register(first).id
            _ = try await test.registry.patch(id: id, InstancePatch(isDraining: true))
            #expect(try await register(.test(id)) == (id, false))
            #expect(try await register(first) == (id, false))
            _ = try await register(.test(id, ip: "10.0.0.78"))
            let next = try await register(first)
            #expect(next.isNew && next.id != id)
            _ = try await test.registry.deregister(id: next.id)
            #expect(try await register(first).isNew)
        }
    }

    @Test func `the commands of a group see who was registered without an id before them`() async throws {
        let squatter = Registration.test(derivedID, ip: "10.0.0.99")
        try await test.running {
            let outcomes = try await test.registry.submit([
                .register(squatter), .register(first), .register(first), .deregister(id: derivedID), .register(first),
                .register(.anonymous("10.0.0.2")), .register(.anonymous("10.0.0.2")),
            ])
            let kinds = outcomes.map { outcome in
                if case .registered(_, let isNew) = outcome { isNew ? "new" : "known" } else { "gone" }
            }
            #expect(kinds == ["new", "new", "known", "gone", "known", "new", "known"])
            #expect(addresses == ["10.0.0.1", "10.0.0.2"])
        }
    }

    @Test func `a substitute that leaves within a group is not found after that`() throws {
        var substitute = ServiceInstance.test(2)
        substitute.idOrigin = .substitute
        var squatter = ServiceInstance.test(1, ip: "10.0.0.99")
        squatter.id = derivedID
        var plan = CommitPlan(nextSequence: 3)
        let table = InstanceTable([squatter, substitute], now: test.clock.now)
        for command: RegistryCommand in [.register(first), .deregister(id: substitute.id), .register(first)] {
            plan.add(command, now: test.clock.now, table: table)
        }
        let ids = plan.changes.map(\.id)
        #expect(ids.prefix(2) == [substitute.id, substitute.id])
        #expect(!table.substitutes(for: derivedID).contains(ids[2]) && ids[2] != derivedID)
    }

    @Test func `of two substitutes that two nodes have made each node finds the same, then the other`() {
        let pair = ([2, 1] as [UInt64]).map { number in
            var instance = ServiceInstance.test(number)
            instance.idOrigin = .substitute
            return instance
        }
        var table = InstanceTable(pair, now: test.clock.now)
        #expect(table.substitutes(for: derivedID) == ["i1", "i2"])
        #expect(InstanceTable(pair.reversed(), now: test.clock.now).substitutes(for: derivedID) == ["i1", "i2"])
        table.remove(id: "i1")
        #expect(table.substitutes(for: derivedID) == ["i2"])
        table.put(.test(2), lease: nil)
        #expect(table.substitutes(for: derivedID).isEmpty)
    }

    @Test func `a random id is a UUID of version 4, each another one`() {
        let ids = (0..<1000).map { _ in InstanceIdentifier.random() }
        #expect(Set(ids).count == 1000)
        for id in ids {
            let parts = id.split(separator: "-")
            #expect(parts.map(\.count) == [8, 4, 4, 4, 12])
            #expect(parts[2].hasPrefix("4") && "89ab".contains(parts[3].prefix(1)))
        }
    }

    @Test func `where an id of an earlier version comes from follows from what it is`() throws {
        var derived = ServiceInstance.test(1)
        derived.id = derived.derivedID
        for (instance, origin) in [(derived, IdentifierOrigin.derived), (.test(2), .given)] {
            let text = String(decoding: StoredInstance.encode(instance), as: UTF8.self)
            let old = text.replacing(#","id_origin":"given""#, with: "")
            #expect(old != text)
            #expect(try StoredInstance.decode(Array(old.utf8)).idOrigin == origin)
        }
    }
}
