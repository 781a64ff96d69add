import CLdns

/// Asks ldns, the authority on the wire format. Cold: for what upstreams have answered, never for a query.
enum LdnsValidation {
    /// Whether ldns reads `message` as a DNS message, from its header to the last record.
    static func isWellFormed(_ message: [UInt8]) -> Bool {
        var packet: UnsafeMutablePointer<ldns_pkt>?
        // Unsafe: ldns reads `count` octets; the packet is freed here.
        let status = unsafe ldns_wire2pkt(&packet, message, message.count)
        unsafe ldns_pkt_free(packet)
        return status == LDNS_STATUS_OK
    }
}
