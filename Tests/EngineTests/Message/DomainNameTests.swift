import Testing

@testable import Engine

struct DomainNameTests {
    private func byteCount(_ octets: [UInt8], at offset: Int = 0) -> Int? {
        DomainName.uncompressedByteCount(in: octets.rawSpan, at: offset)
    }

    /// A name with labels of these lengths, and the root.
    private func name(_ lengths: Int...) -> [UInt8] {
        lengths.flatMap { [UInt8($0)] + [UInt8](repeating: 120, count: $0) } + [0]
    }

    private func position(_ name: String, _ origin: String) throws -> DomainName.Position? {
        position(try wireName(name), try wireName(origin))
    }

    private func position(_ name: [UInt8], _ origin: [UInt8]) -> DomainName.Position? {
        let nameSpan = name.rawSpan
        let originSpan = origin.rawSpan
        return DomainName.position(of: nameSpan, in: originSpan)
    }

    @Test func `a name's length counts its root label`() {
        #expect(byteCount([0]) == 1)
        #expect(byteCount([0, 7, 7]) == 1)
        #expect(byteCount([1, 97, 0]) == 3)
        #expect(byteCount([9, 9, 1, 97, 0], at: 2) == 3)
    }

    @Test func `a label has 63 octets at most`() {
        #expect(byteCount(name(63)) == 65)
        #expect(byteCount(name(64)) == nil)
        #expect(byteCount(name(127)) == nil)
    }

    @Test func `a name has 255 octets at most`() {
        #expect(byteCount(name(63, 63, 63, 61)) == 255)
        #expect(byteCount(name(63, 63, 63, 62)) == nil)
        #expect(byteCount([UInt8](repeating: 1, count: 254) + [0]) == 255)
        #expect(byteCount([UInt8](repeating: 1, count: 256) + [0]) == nil)
    }

    @Test func `a name that is cut off is no name`() {
        let whole = name(3, 5)
        for count in 0..<whole.count { #expect(byteCount([UInt8](whole.prefix(count))) == nil) }
        #expect(byteCount([], at: 0) == nil)
        #expect(byteCount([0], at: 1) == nil)
    }

    @Test func `a compression pointer is refused`() {
        for octet: UInt8 in [0xC0, 0xC1, 0xFF, 0x80, 0x40] { #expect(byteCount([octet, 0, 0]) == nil) }
        #expect(byteCount([1, 97, 0xC0, 0, 0]) == nil)
    }

    @Test func `a name's place in the zone is told in labels`() throws {
        let apex = try #require(try position("service.kong", "service.kong"))
        #expect((apex.relativeByteCount, apex.labelCount) == (0, 0))
        let below = try #require(try position("a.bcd.service.kong", "service.kong"))
        #expect((below.relativeByteCount, below.labelCount, below.lastLabelOffset) == (6, 2, 2))
    }

    @Test func `a name elsewhere is not in the zone`() throws {
        for other in ["kong", ".", "service.kang", "web.service.kong.example", "xservice.kong", "service.xkong"] {
            #expect(try position(other, "service.kong") == nil, "\(other)")
        }
    }

    @Test func `the origin's octets inside a label don't count`() {
        // The label "\007service\004kong" has 13 octets, and the root follows: the name ends in the octets of
        // service.kong.
        let origin: [UInt8] = [7] + "service".utf8 + [4] + "kong".utf8 + [0]
        let tricky: [UInt8] = [13] + origin.dropLast() + [0]
        #expect(tricky.suffix(origin.count) == origin[...])
        #expect(position(tricky, origin) == nil)
    }
}
