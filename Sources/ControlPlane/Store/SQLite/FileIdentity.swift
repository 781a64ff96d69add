import CFile

/// What tells a file from another one that has its name later.
struct FileIdentity: Sendable, Equatable {
    private let device: UInt64
    private let number: UInt64

    /// That of an open file; `nil`: nothing is open there.
    init?(of descriptor: Int32) {
        var identity = file_identity()
        // Unsafe: fills the structure.
        guard unsafe file_identity_of_descriptor(descriptor, &identity) else { return nil }
        self.init(identity)
    }

    /// That of the file that a path leads to; `nil`: none.
    init?(path: String) {
        var identity = file_identity()
        // Unsafe: reads a C string for the time of the call and fills the structure.
        guard unsafe file_identity_of_path(path, &identity) else { return nil }
        self.init(identity)
    }

    private init(_ identity: file_identity) {
        device = identity.device
        number = identity.number
    }
}
