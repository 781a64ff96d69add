import CEvent

/// Where a datagram came from, and the address that it was sent to: a later reply needs both.
@safe
struct DatagramOrigin {
    /// At least the size of an IPv6 address in the socket API's form.
    static let addressBytes = 32
    /// At least the size of a control message with an IPv6 address.
    static let controlBytes = 64

    private var address = InlineArray<32, UInt8>(repeating: 0)
    private var addressByteCount: Int
    private var control = InlineArray<64, UInt8>(repeating: 0)
    private var controlByteCount: Int

    /// Copies what a received message's header points at: its address, and its control message, which must have been
    /// prepared by `answer_from_asked_address`.
    init(_ header: msghdr) {
        addressByteCount = unsafe min(Int(header.msg_namelen), Self.addressBytes)
        controlByteCount = unsafe header.msg_control == nil ? 0 : min(header.msg_controllen, Self.controlBytes)
        // Unsafe: the lines above keep both within what the header points at, and within the arrays.
        unsafe withUnsafeMutableBytes(of: &address) { target in
            if let source = unsafe header.msg_name {
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: source, count: addressByteCount))
            }
        }
        unsafe withUnsafeMutableBytes(of: &control) { target in
            if let source = unsafe header.msg_control {
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: source, count: controlByteCount))
            }
        }
    }

    /// The address of the client.
    var client: IPAddress? {
        // Offsets of the socket API's forms: the address of `sockaddr_in` is at 4, that of `sockaddr_in6` at 8.
        func number(_ range: Range<Int>) -> UInt64 { range.reduce(0) { $0 << 8 | UInt64(address[$1]) } }
        switch addressByteCount {
        case MemoryLayout<sockaddr_in>.size: return .v4(UInt32(truncatingIfNeeded: number(4..<8)))
        case MemoryLayout<sockaddr_in6>.size: return .v6(number(8..<16), number(16..<24))
        default: return nil
        }
    }

    /// Copies both to where `header` points; there must be room for ``addressBytes`` and ``controlBytes``.
    func write(to header: inout msghdr) {
        // Unsafe: copies as many octets as the arrays have, to where there is room for them.
        unsafe withUnsafeBytes(of: address) { source in
            if let source = source.baseAddress {
                unsafe header.msg_name?.copyMemory(from: source, byteCount: Self.addressBytes)
            }
        }
        unsafe header.msg_namelen = socklen_t(addressByteCount)
        unsafe header.msg_controllen = controlByteCount
        guard controlByteCount > 0 else { return }
        unsafe withUnsafeBytes(of: control) { source in
            if let source = source.baseAddress {
                unsafe header.msg_control?.copyMemory(from: source, byteCount: Self.controlBytes)
            }
        }
    }
}
