import Testing

@testable import Engine

struct MessageHeaderTests {
    private func read(_ octets: [UInt8]) -> MessageHeader? { MessageHeader(octets.rawSpan) }

    @Test func `the header's words are read in network order`() throws {
        let octets: [UInt8] = [0x12, 0x34, 0x85, 0x90, 0, 1, 1, 0, 2, 3, 0xFF, 0xFE, 99]
        let header = try #require(read(octets))
        #expect(header.id == 0x1234)
        #expect(header.questionCount == 1)
        #expect(header.answerCount == 0x0100)
        #expect(header.authorityCount == 0x0203)
        #expect(header.additionalCount == 0xFFFE)
        #expect(header.isResponse)
        #expect(header.opcode == 0)
    }

    @Test func `a message shorter than a header has none`() {
        for count in 0..<12 { #expect(read([UInt8](repeating: 0, count: count)) == nil) }
        #expect(read([UInt8](repeating: 0, count: 12)) != nil)
    }

    @Test func `with another opcode than QUERY neither RD nor CD is echoed (RFC 8906 §3.1.4)`() throws {
        for opcode in 1...15 as ClosedRange<UInt16> {
            let flags = opcode << 11 | 0x0110
            let header = try #require(
                read([0, 0, UInt8(flags >> 8), UInt8(flags & 0xFF)] + [UInt8](repeating: 0, count: 8)))
            #expect(header.echoedFlags == opcode << 11)
        }
    }

    @Test func `opcode and RD are echoed (RFC 1035 §4.1.1), and nothing else`() throws {
        for bit in 0..<16 {
            let flags = UInt16(1) << bit
            let octets: [UInt8] = [0, 0, UInt8(flags >> 8), UInt8(flags & 0xFF), 0, 0, 0, 0, 0, 0, 0, 0]
            let header = try #require(read(octets))
            let isEchoed = [8, 11, 12, 13, 14].contains(bit)
            #expect(header.echoedFlags == (isEchoed ? flags : 0), "bit \(bit)")
            #expect(header.isResponse == (bit == 15))
            #expect(header.opcode == ((11...14).contains(bit) ? 1 << (bit - 11) : 0))
        }
    }
}
