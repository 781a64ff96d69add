import Testing

@testable import Engine

struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", IPAddress.v4(0)), ("127.0.0.1", .v4(0x7F00_0001)), ("255.255.255.255", .v4(0xFFFF_FFFF)),
        ("10.1.2.3", .v4(0x0A01_0203)), ("::", .v6(0, 0)), ("::1", .v6(0, 1)), ("fd00::1", .v6(0xFD00 << 48, 1)),
        ("2001:db8::8:800:200c:417a", .v6(0x2001_0DB8_0000_0000, 0x0008_0800_200C_417A)),
        ("::ffff:10.0.0.1", .v6(0, 0xFFFF_0A00_0001)),
    ])
    func `a canonical literal is read, and written again`(_ text: String, _ address: IPAddress) {
        #expect(IPAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("0:0:0:0:0:0:0:0", "::"), ("2001:0db8::0001", "2001:db8::1"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("::ffff:0a00:0001", "::ffff:10.0.0.1"),
    ])
    func `an IPv6 literal is written as RFC 5952 says`(_ text: String, _ canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\0", "::1\0",
        "0x7f.0.0.1", "127.1", "1.2.3.-4", "::1%lo", "fe80::1%1", "[::1]", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "g::", "::1.2.3", "localhost", "1.2.3.4/8", "١.٢.٣.٤",
        "0000:0000:0000:0000:0000:0000:255.255.255.2555",
    ])
    func `anything else is no address`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `octets are in network order`() {
        #expect(IPAddress.v4(0x0102_0304).octets == [1, 2, 3, 4])
        #expect(IPAddress.v6(0x0102_0304_0506_0708, 0x090A_0B0C_0D0E_0F10).octets == [UInt8](1...16))
    }

    @Test func `kinds of addresses are told apart`() throws {
        func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
        #expect(try address("0.0.0.0").isUnspecified && address("::").isUnspecified)
        #expect(try !address("0.0.0.1").isUnspecified && !address("::1").isUnspecified)
        #expect(try address("224.0.0.1").isMulticast && address("239.255.255.255").isMulticast)
        #expect(try address("ff02::1").isMulticast && !address("240.0.0.1").isMulticast)
        #expect(try !address("223.255.255.255").isMulticast && !address("fe80::1").isMulticast)
        #expect(try address("127.1.2.3").isLoopback && address("::1").isLoopback)
        #expect(try !address("128.0.0.1").isLoopback && !address("1::1").isLoopback)
        #expect(try address("::ffff:1.2.3.4").isIPv4Mapped && !address("::fffe:1.2.3.4").isIPv4Mapped)
        #expect(try !address("1::ffff:1.2.3.4").isIPv4Mapped && !address("1.2.3.4").isIPv4Mapped)
        #expect(try address("1.2.3.4").isIPv4 && !address("::ffff:1.2.3.4").isIPv4)
    }

    @Test func `random addresses survive writing and reading`() {
        var random = SeededRandom(3)
        for _ in 0..<2000 {
            let v4 = IPAddress.v4(UInt32.random(in: 0...UInt32.max, using: &random))
            #expect(IPAddress(v4.description) == v4)
            // There are many zeros, so that `::` is tried in all places.
            let mask = random.next() & random.next()
            let v6 = IPAddress.v6(random.next() & mask, random.next() & mask & 0xFFFF_0000_FFFF_FFFF)
            #expect(IPAddress(v6.description) == v6)
        }
    }
}

struct SocketAddressTests {
    @Test(arguments: ["127.0.0.1:8600", "0.0.0.0:0", "[::1]:8600", "[::]:65535", "[fd00::1]:53"])
    func `an address with a port is read, and written again`(_ text: String) {
        #expect(SocketAddress(text)?.description == text)
    }

    @Test(arguments: [
        "", ":", ":53", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 53",
        "127.0.0.1:5 3", "127.0.0.1:0x35", "::1:53", "[::1]", "[::1]:", "[127.0.0.1]:53", "[::1:53", "::1]:53",
        "[[::1]]:53", "[::1]53", "[fe80::1%lo]:53", "localhost:53", "127.0.0.1:٥٣", "127.0.0.1\0:53", "127.0.0.1:53\0",
    ])
    func `anything else is no socket address`(_ text: String) {
        #expect(SocketAddress(text) == nil)
    }
}
