/// A response with any status; the caller decides what the status means.
struct HTTPClientResponse: Sendable, Equatable {
    /// The final status; 1xx are skipped.
    var status: Int
    var body: [UInt8] = []
    /// Those of ``HTTPClientRequest/wantedFields`` that it has.
    var fields: [HTTPClientRequest.Field] = []

    /// The value of a wanted field.
    func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }
}
