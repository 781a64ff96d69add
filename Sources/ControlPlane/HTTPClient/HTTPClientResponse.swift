/// A response with any status; the caller decides what the status means.
struct HTTPClientResponse: Sendable, Equatable {
    /// The final status; 1xx are skipped.
    var status: Int
    var body: [UInt8] = []
}
