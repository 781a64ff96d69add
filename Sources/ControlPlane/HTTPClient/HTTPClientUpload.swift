/// A request's body that is read while it is sent, so that it need not fit into memory.
struct HTTPClientUpload: Sendable {
    /// The number of octets; `nil`: it is not known before the end.
    var length: Int?
    /// Reads the next octets: at most so many, none at the end; `nil` ends the request with an error. It is called on
    /// the client's thread, and holds up other transfers while it waits.
    var read: @Sendable (_ maximumOctets: Int) -> [UInt8]?
}
