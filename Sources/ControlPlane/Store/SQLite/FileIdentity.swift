import CFile

/// Tells a file from another one that gets its name later.
struct FileIdentity: Sendable, Equatable {
    private let device: UInt64
    private let number: UInt64

    /// The identity of an open file; `nil`: the descriptor is not open.
    init?(of descriptor: Int32) {
        var identity = file_identity()
        // Unsafe: fills the structure.
        guard unsafe file_identity_of_descriptor(descriptor, &identity) else { return nil }
        self.init(identity)
    }

    /// The identity of the file at a path; `nil`: there is none.
    init?(path: String) {
        var identity = file_identity()
        // Unsafe: reads a C string during the call and fills the structure.
        guard unsafe file_identity_of_path(path, &identity) else { return nil }
        self.init(identity)
    }

    private init(_ identity: file_identity) {
        device = identity.device
        number = identity.number
    }
}
