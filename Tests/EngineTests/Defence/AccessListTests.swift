import Testing

@testable import Engine

/// Lists of networks, of any length.
struct AccessListTests {
    private func network(_ text: String) throws -> IPNetwork {
        let parts = text.split(separator: "/")
        return IPNetwork(try #require(IPAddress(parts[0])), prefixLength: try #require(Int(parts[1])))
    }

    @Test func `networks have the addresses under their prefix, of their family`() {
        let list = AccessList([
            IPNetwork(.v4(0x0A00_0000), prefixLength: 8), IPNetwork(.v4(0xC0A8_0101), prefixLength: 32),
            IPNetwork(.v6(0xFC00 << 48, 0), prefixLength: 7), IPNetwork(.v6(0, 1), prefixLength: 128),
        ])
        for text in ["10.0.0.0", "10.255.255.255", "192.168.1.1", "fd00::1", "::1", "::ffff:10.1.1.1"] {
            #expect(IPAddress(text).map(list.view.contains) == true, "\(text)")
        }
        for text in ["9.255.255.255", "11.0.0.0", "192.168.1.2", "fe00::1", "::2", "::10.0.0.1", "::ffff:9.1.1.1"] {
            #expect(IPAddress(text).map(list.view.contains) == false, "\(text)")
        }
        let all = AccessList([IPNetwork(.v4(0), prefixLength: 0)])
        let none = AccessList([])
        let all6 = AccessList([IPNetwork(.v6(0, 0), prefixLength: 0)])
        // The views are valid for as long as the lists live.
        withExtendedLifetime((list, all, none, all6)) {
            #expect(all.view.contains(.v4(0xFFFF_FFFF)) && !all.view.contains(.v6(0, 0)))
            #expect(!none.view.contains(.v4(0x7F00_0001)) && !none.view.contains(.v6(0, 0)))
            #expect(all6.view.contains(.v6(.max, .max)) && all6.view.contains(.v6(0, 0xFFFF_0A01_0101)))
        }
    }

    /// The address before and behind, if there is one.
    private func neighbours(_ address: IPAddress) -> [IPAddress] {
        switch address {
        case .v4(let bits): return [.v4(bits &- 1), .v4(bits &+ 1)]
        case .v6(let high, let low):
            return [
                .v6(low == 0 ? high &- 1 : high, low &- 1), .v6(low == .max ? high &+ 1 : high, low &+ 1),
            ]
        }
    }

    private func last(_ network: IPNetwork) -> IPAddress {
        switch network.address {
        case .v4(let bits): .v4(bits | UInt32.max >> network.prefixLength)
        case .v6(let high, let low):
            .v6(
                high | UInt64.max >> min(network.prefixLength, 64),
                low | UInt64.max >> max(network.prefixLength - 64, 0))
        }
    }

    private func random(_ generator: inout SeededRandom, isClustered: Bool) -> IPNetwork {
        let length = Int.random(in: 0...128, using: &generator)
        if Bool.random(using: &generator) {
            var bits = UInt32.random(in: 0 ... .max, using: &generator)
            if isClustered { bits = 0x0A00_0000 | bits & 0x0003_0F0F }
            return IPNetwork(.v4(bits), prefixLength: isClustered ? 20 + length % 13 : 4 + length % 29)
        }
        var (high, low) = (
            UInt64.random(in: 0 ... .max, using: &generator), UInt64.random(in: 0 ... .max, using: &generator)
        )
        if isClustered { (high, low) = (0x2001_0DB8 << 32 | high & 0xF, low & 0x8000_0000_0000_00FF) }
        return IPNetwork(.v6(high, low), prefixLength: isClustered ? 58 + length % 71 : max(length, 4))
    }

    @Test(arguments: [1, 2, 3, 10, 100, 1000], [false, true])
    func `it has what one of its networks has`(count: Int, isClustered: Bool) throws {
        for seed in 0..<UInt64(2000 / count + 2) {
            var generator = SeededRandom(seed + UInt64(count) << 32)
            let networks = (0..<count).map { _ in random(&generator, isClustered: isClustered) }
            let list = AccessList(networks)
            var addresses = networks.prefix(50).flatMap { [$0.address, last($0)] }
            addresses += addresses.flatMap(neighbours)
            addresses += (0..<50).map { _ in random(&generator, isClustered: isClustered).address }
            addresses += [.v4(0), .v4(.max), .v6(0, 0), .v6(.max, .max)]
            for address in addresses where !address.isIPv4Mapped {
                let isIn = networks.contains { $0.contains(address) }
                #expect(list.view.contains(address) == isIn, "seed \(seed): \(address)")
            }
        }
    }

    @Test func `networks that touch are one, and the end of the addresses is no beginning`() throws {
        let texts = ["255.255.255.0/25", "255.255.255.128/25", "0.0.0.0/25", "0.0.0.128/25", "ffff::/16", "::/16"]
        let list = AccessList(try texts.map(network))
        for text in ["0.0.0.0", "0.0.0.255", "255.255.255.0", "255.255.255.255", "ffff::", "::"] {
            #expect(IPAddress(text).map(list.view.contains) == true, "\(text)")
        }
        for text in ["0.0.1.0", "255.255.254.255", "fffe::", "1::"] {
            #expect(IPAddress(text).map(list.view.contains) == false, "\(text)")
        }
    }
}
