/// The packed SOA record of negative answers, with places for compression pointers that depend on the question.
struct NegativeSOA: Sendable {
    let octets: PackedOctets
    /// The octets of what stands behind `ns` in MNAME: a pointer, or a zone's name.
    let serverByteCount: Int
    /// Whether MNAME and RNAME are in the zone itself: then both point to its name within the question.
    let isServedHere: Bool

    /// A view for the workers.
    var view: View {
        View(
            octets: octets.view, isServedHere: isServedHere,
            mailbox: UInt8(truncatingIfNeeded: PackedRecord.data + 3 + serverByteCount + 11))
    }

    /// What a worker reads of it for a query.
    struct View {
        fileprivate let octets: OctetsView
        fileprivate let isServedHere: Bool
        /// The offset of RNAME's pointer to a zone's name; 0 if MNAME and RNAME are whole.
        fileprivate let mailbox: UInt8
    }
}

extension NegativeSOA.View {
    /// A record in which only the owner, the zone, is a compression pointer.
    init(whole octets: OctetsView) {
        self.init(octets: octets, isServedHere: false, mailbox: 0)
    }
}

extension OutputRawSpan {
    /// Appends the record.
    ///
    /// - Parameter zone: where the zone's name begins in the message.
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func append(_ soa: NegativeSOA.View, zone: Int) {
        let owner = byteCount
        append(octets: soa.octets.span)
        let server = owner &+ PackedRecord.data &+ 3
        let zonePointer = 0xC000 | UInt16(truncatingIfNeeded: zone)
        replace(at: owner, bigEndian: zonePointer)
        guard soa.mailbox > 0 else { return }
        if soa.isServedHere { replace(at: server, bigEndian: zonePointer) }
        replace(
            at: owner &+ Int(soa.mailbox),
            bigEndian: soa.isServedHere ? zonePointer : 0xC000 | UInt16(truncatingIfNeeded: server))
    }
}
