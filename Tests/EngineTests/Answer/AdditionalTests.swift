import Testing

@testable import Engine

/// ADDITIONAL of SRV answers: ldns follows the compression pointers that the engine has written.
struct AdditionalTests {
    /// The addresses in the additional records, by owner.
    private func addresses(_ reply: TestReply) -> [[UInt8]: IPAddress] {
        Dictionary(reply.additional.map { ($0.owner, IPAddress(octets: $0.data) ?? .v4(0)) }) { first, _ in first }
    }

    /// Every additional record belongs to a target, has that target's address, and comes once.
    private func expectRightAddresses(_ reply: TestReply, _ targets: [IPAddress]) throws {
        let origin = try wireName(TestServer.origin)
        let byName = Dictionary(targets.map { ($0.wireName(in: origin), $0) }) { first, _ in first }
        let found = addresses(reply)
        #expect(found.count == reply.additional.count, "an address twice")
        for (owner, address) in found { #expect(byName[owner] == address) }
        for record in reply.additional { #expect(record.type == (record.data.count == 4 ? 1 : 28)) }
    }

    @Test func `every target has its address, wherever the rotation starts`() throws {
        for count in 1...9 {
            for pattern in 0..<4 {
                let targets = (0..<count).map { index in
                    // All IPv4, all IPv6, and two mixtures: records of different lengths shift the places that pointers
                    // lead to.
                    let isIPv6 = [false, true, index % 2 == 0, index % 3 == 0][pattern]
                    return isIPv6 ? IPAddress.unique(index) : .ten(index)
                }
                let server = try TestServer(["web": .records([.srv(targets)])])
                for start in 0..<(2 * count) {
                    let reply = try server.ask("web", .srv, overTCP: true)
                    #expect(reply.services.map { Int($0.port) - 1 } == (0..<count).map { (start + $0) % count })
                    #expect(reply.additional.count == count)
                    try expectRightAddresses(reply, targets)
                }
            }
        }
    }

    @Test func `a target that several records have comes once`() throws {
        let targets: [IPAddress] = [.ten(1), .unique(1), .ten(1), .ten(2), .unique(1), .ten(1)]
        let server = try TestServer(["web": .records([.srv(targets)])])
        for _ in 0..<12 {
            let reply = try server.ask("web", .srv, overTCP: true)
            #expect(reply.services.count == 6 && reply.additional.count == 3)
            try expectRightAddresses(reply, targets)
        }
    }

    @Test func `addresses that don't fit are left out whole, without TC`() throws {
        let targets = (0..<8).map { $0 % 2 == 0 ? IPAddress.ten($0) : .unique($0) }
        let server = try TestServer(["web": .records([.srv(targets)])])
        var counts: Set<Int> = []
        for payload in stride(from: UInt16(512), through: 800, by: 4) {
            let reply = try server.ask(TestQuery("web.service.kong", .srv).offering(payload: payload))
            #expect(!reply.isTruncated && reply.services.count == 8 && reply.octets.count <= Int(payload))
            try expectRightAddresses(reply, targets)
            counts.insert(reply.additional.count)
        }
        #expect(counts.contains(8) && counts.count > 4, "the payloads have tried little: \(counts)")
    }

    @Test func `without EDNS, 512 octets are shared by SRV and their addresses`() throws {
        let server = try TestServer()
        for count in 1...8 {
            let targets = (0..<count).map(IPAddress.ten)
            try server.publish(["web": .records([.srv(targets)])])
            for _ in 0..<count {
                let reply = try server.ask("web", .srv)
                #expect(!reply.isTruncated && reply.services.count == count && reply.octets.count <= 512)
                try expectRightAddresses(reply, targets)
                let room = 512 - 12 - 22 - count * (18 + 28)
                #expect(reply.additional.count == min(count, room / 16))
            }
        }
    }

    @Test func `addresses of targets that no pointer reaches have their whole name`() throws {
        // A pointer has 14 bits (RFC 1035 §4.1.4). A record has 46 octets, so the first 355 of 600 begin below 16,384.
        let targets = (0..<600).map { $0 % 5 == 0 ? IPAddress.unique($0) : .ten($0) }
        let server = try TestServer(["web": .records([.srv(targets)])])
        for _ in 0..<5 {
            let reply = try server.ask("web", .srv, overTCP: true)
            #expect(reply.services.count == 600 && reply.additional.count == 600)
            try expectRightAddresses(reply, targets)
        }
    }

    @Test func `over TCP addresses are left out whole where 64 KB end`() throws {
        let targets = (0..<1000).map { $0 % 3 == 0 ? IPAddress.unique($0) : .ten($0) }
        let server = try TestServer(["web": .records([.srv(targets)])])
        for _ in 0..<3 {
            let reply = try server.ask("web", .srv, overTCP: true)
            #expect(reply.services.count == 1000 && !reply.isTruncated && reply.octets.count <= 65535)
            #expect(reply.additional.count > 100 && reply.additional.count < 1000)
            try expectRightAddresses(reply, targets)
        }
    }

    @Test func `upper case in the question does not reach the targets`() throws {
        let server = try TestServer(["web": .records([.srv([.ten(1), .unique(2)])])])
        let reply = try server.ask(TestQuery("WEB.SERVICE.KONG", .srv))
        try expectRightAddresses(reply, [.ten(1), .unique(2)])
        #expect(reply.additional.count == 2)
    }
}
