/// A response. Any status: what it means is the caller's to say.
struct HTTPClientResponse: Sendable, Equatable {
    /// The final status: 1xx are skipped.
    var status: Int
    var body: [UInt8] = []
}
