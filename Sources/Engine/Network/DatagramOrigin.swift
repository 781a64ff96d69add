import CEvent

/// Where a datagram came from, and the address that it was sent to: what a reply that is sent later needs.
@safe
struct DatagramOrigin {
    /// As large as an IPv6 address in the socket API's form, or larger.
    static let addressBytes = 32
    /// As large as a control message with an IPv6 address, or larger.
    static let controlBytes = 64

    private var address = InlineArray<32, UInt8>(repeating: 0)
    private var addressByteCount: Int
    private var control = InlineArray<64, UInt8>(repeating: 0)
    private var controlByteCount: Int

    /// Copies what a received message's header shows. Its address and control message have been received, the latter
    /// prepared by `answer_from_asked_address`.
    init(_ header: msghdr) {
        addressByteCount = unsafe min(Int(header.msg_namelen), Self.addressBytes)
        controlByteCount = unsafe header.msg_control == nil ? 0 : min(header.msg_controllen, Self.controlBytes)
        // Unsafe: both are within what the header shows, and within the arrays, by the lines above.
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

    /// Sends a reply there.
    ///
    /// - Returns: whether the system took it.
    func send(_ reply: RawSpan, by socket: Int32) -> Bool {
        var address = address
        var control = control
        // Unsafe: the header describes the reply and the two copies, which the kernel only reads, during the call.
        return unsafe withUnsafeMutableBytes(of: &address) { name in
            unsafe withUnsafeMutableBytes(of: &control) { control in
                unsafe reply.withUnsafeBytes { octets in
                    var part = unsafe iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: octets.baseAddress), iov_len: octets.count)
                    return unsafe withUnsafeMutablePointer(to: &part) { part in
                        var header = unsafe msghdr(
                            msg_name: name.baseAddress, msg_namelen: socklen_t(addressByteCount), msg_iov: part,
                            msg_iovlen: 1, msg_control: controlByteCount == 0 ? nil : control.baseAddress,
                            msg_controllen: controlByteCount, msg_flags: 0)
                        return unsafe sendmsg(socket, &header, Int32(MSG_DONTWAIT)) >= 0
                    }
                }
            }
        }
    }
}
