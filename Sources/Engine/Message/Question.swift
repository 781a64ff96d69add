/// The question of a query (RFC 1035 §4.1.2).
///
/// ldns is not used here, because it would allocate three times. Differential tests compare the result with
/// `ldns_wire2rr`. The name stays where it is, in the message, and is compared without regard to case.
struct Question {
    /// The octets of QNAME, including its root label.
    let nameByteCount: Int
    /// QTYPE.
    let type: RecordType
    /// QCLASS.
    let recordClass: UInt16

    /// Reads the question behind the header of `message`.
    ///
    /// - Returns: `nil` if it is cut off, or its name is malformed or compressed.
    @inline(__always)
    init?(_ message: RawSpan) {
        let start = MessageHeader.byteCount
        guard let byteCount = DomainName.uncompressedByteCount(in: message, at: start),
            let type = message.uint16(at: start &+ byteCount),
            let recordClass = message.uint16(at: start &+ byteCount &+ 2)
        else { return nil }
        nameByteCount = byteCount
        self.type = RecordType(rawValue: type)
        self.recordClass = recordClass
    }

    /// The offset of the question's end in the message.
    var end: Int { MessageHeader.byteCount &+ nameByteCount &+ 4 }

    /// QNAME in the message that this was read from.
    @inline(__always)
    @_lifetime(copy message)
    func name(in message: RawSpan) -> RawSpan {
        message.extracting(MessageHeader.byteCount..<(MessageHeader.byteCount &+ nameByteCount))
    }
}
